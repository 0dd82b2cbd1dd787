// The dashboard: who is there, what the selected person shows, and the last minute of it.

const SPAN_S = 60;
const AWAY_MS = 5000;  // how long somebody who left stays in the list
const OLD_MS = 2500;  // how long a scene is shown as if it were now

const $ = (id) => document.getElementById(id);
const people = new Map();  // by id, in the order in which they came
const off = new Set();  // labels whose lines are switched off
const now = {labels: [], source: null, selected: null, time: 0, seen: 0, arrivals: [], pointer: null, dirty: false};

followTheme(new URLSearchParams(location.search).get("theme"));

function reset() {
  people.clear();
  $("people").replaceChildren();
  now.selected = null;
}

function take(scene) {
  if (scene.source !== now.source || scene.time_s < now.time - 1) {
    reset();  // another source, or a file that begins again
    now.source = scene.source;
  }
  const at = performance.now();
  now.time = scene.time_s;
  now.seen = at;
  now.arrivals = [...now.arrivals.filter((moment) => moment > at - 3000), at];
  for (const face of scene.faces) {
    const person = people.get(face.person) ?? newPerson(face.person);
    person.face = face;
    person.seen = at;
    remember(person, scene.time_s);
  }
  now.dirty = true;
}

function newPerson(id) {
  const person = {id, face: null, seen: 0, points: [], row: newRow(id)};
  people.set(id, person);
  $("people").append(person.row.item);
  return person;
}

function remember(person, time) {
  const {face, points} = person;
  const last = points.at(-1);
  if (!face.probabilities) {
    if (last && last.shares) {
      points.push({time, shares: null});  // a gap: nothing was measured here
    }
  } else if (!last || !last.shares || face.prediction_s !== last.from) {
    const labels = Object.keys(face.probabilities);
    if (labels.join("\n") !== now.labels.join("\n")) {
      now.labels = labels;
      for (const other of people.values()) {
        other.points.length = 0;
      }
      makeBars();
    }
    points.push({time, from: face.prediction_s, shares: Object.values(face.probabilities)});
  }
  while (points.length && points[0].time < time - SPAN_S - 2) {
    points.shift();
  }
}

// People

function newRow(id) {
  const item = element("li");
  const button = element("button");
  button.type = "button";
  const dot = element("span", "dot");
  dot.style.background = personColour(id);
  const who = element("span", "who one-line");
  const share = element("span", "share");
  const shows = element("span", "shows one-line");
  const track = element("span", "track");
  const fill = element("span", "fill");
  track.append(fill);
  button.append(dot, who, share, shows, track);
  button.addEventListener("click", () => {
    now.selected = id;
    now.dirty = true;
  });
  item.append(button);
  return {item, button, who, share, shows, fill};
}

function flagsOf(face) {
  const words = {warming: "warming up", occluded: "occluded", uncertain: "uncertain"};
  return [words[face.status], ...(face.quality ?? [])].filter(Boolean);
}

function showRow(person, at) {
  const {face, row} = person;
  const away = at - person.seen > 400;
  const top = face.probabilities && !away ? face.label : null;
  setText(row.who, nameOf(face));
  row.button.title = nameOf(face);
  setText(row.shows, away ? "left" : top ? [top, ...flagsOf(face)].join(" · ") : flagsOf(face).join(" · "));
  setText(row.share, top ? percent(face.probabilities[top]) : "");
  row.fill.style.width = top ? `${100 * face.probabilities[top]}%` : "0";
  row.fill.style.background = top ? labelColour(now.labels.indexOf(top)) : "none";
  row.button.setAttribute("aria-pressed", String(person.id === now.selected));
  row.item.classList.toggle("away", away);
}

// The selected person

let bars = [];

function makeBars() {
  bars = now.labels.map((label, index) => {
    const button = element("button");
    button.type = "button";
    const key = element("span", "key");
    key.style.background = key.style.borderColor = labelColour(index);
    const track = element("span", "track");
    const fill = element("span", "fill");
    fill.style.background = labelColour(index);
    track.append(fill);
    const number = element("span", "number");
    const name = element("span", "one-line", label);
    name.title = label;
    button.append(key, name, track, number);
    button.addEventListener("click", () => {
      off.has(label) ? off.delete(label) : off.add(label);
      now.dirty = true;
    });
    return {label, button, fill, number};
  });
  const longest = Math.max(...now.labels.map((label) => label.length));
  $("bars").style.setProperty("--name", `${Math.min(Math.max(longest, 8), 24) * 0.7}em`);
  $("bars").replaceChildren(...bars.map((bar) => bar.button));
}

function showPerson(person) {
  const {face} = person;
  const away = now.seen - person.seen > 400;
  const shares = away ? null : face.probabilities;
  setText($("name"), nameOf(face));
  const flags = away ? ["left"] : flagsOf(face);
  if ($("flags").textContent !== flags.join("")) {
    $("flags").replaceChildren(...flags.map((flag) => element("span", "flag", flag)));
  }
  setText($("label"), shares ? (face.status === "uncertain" ? `${face.label}?` : face.label) : "–");
  setText($("share"), shares ? percent(shares[face.label]) : "");
  for (const bar of bars) {
    const share = shares ? (shares[bar.label] ?? 0) : 0;
    bar.fill.style.width = `${100 * share}%`;
    setText(bar.number, shares ? percent(share) : "");
    bar.button.classList.toggle("top", Boolean(shares) && bar.label === face.label);
    bar.button.setAttribute("aria-pressed", String(!off.has(bar.label)));
  }
  const values = shares ? Object.entries(face.values ?? {}) : [];
  const rows = $("values").children;
  if (rows.length !== values.length) {
    $("values").replaceChildren(...values.map(() => {
      const row = element("div");
      row.append(element("dt"), element("dd"));
      return row;
    }));
  }
  values.forEach(([name, value], index) => {
    setText(rows[index].firstChild, name);
    setText(rows[index].lastChild, value.toFixed(2));
  });
  drawChart(person);
}

function drawChart(person) {
  const canvas = $("chart");
  const scale = devicePixelRatio || 1;
  const wide = canvas.clientWidth;
  const high = canvas.clientHeight;
  if (canvas.width !== Math.round(wide * scale) || canvas.height !== Math.round(high * scale)) {
    canvas.width = Math.round(wide * scale);
    canvas.height = Math.round(high * scale);
  }
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue(name).trim();
  const ink = canvas.getContext("2d");
  const [left, right, top, bottom] = [48, wide - 8, 8, high - 22];
  const x = (time) => right - ((now.time - time) / SPAN_S) * (right - left);
  const y = (share) => bottom - share * (bottom - top);
  ink.setTransform(scale, 0, 0, scale, 0, 0);
  ink.clearRect(0, 0, wide, high);
  ink.font = `12px ${getComputedStyle(document.body).fontFamily}`;
  ink.fillStyle = colour("--muted");
  ink.strokeStyle = colour("--border");
  ink.lineWidth = 1;
  ink.textAlign = "right";
  ink.textBaseline = "middle";
  for (const share of [0, 0.5, 1]) {
    ink.fillText(percent(share), left - 8, y(share));
    ink.beginPath();
    ink.moveTo(left, Math.round(y(share)) + 0.5);
    ink.lineTo(right, Math.round(y(share)) + 0.5);
    ink.stroke();
  }
  ink.textBaseline = "top";
  for (const ago of [60, 45, 30, 15, 0]) {
    ink.textAlign = ago === 0 ? "right" : ago === 60 ? "left" : "center";
    ink.fillText(ago ? `−${ago} s` : "now", x(now.time - ago), bottom + 6);
  }
  ink.save();
  ink.beginPath();
  ink.rect(left, 0, right - left, bottom + 2);
  ink.clip();
  ink.lineJoin = "round";
  now.labels.forEach((label, index) => {
    if (off.has(label)) {
      return;
    }
    ink.strokeStyle = colour(`--label-${index % 8}`);
    ink.lineWidth = person.face.label === label ? 2.4 : 1.4;
    ink.beginPath();
    let pen = false;
    const last = person.points.at(-1);
    // What was predicted last holds until there is something newer.
    const held = last?.shares && now.seen - person.seen <= 400 ? [{time: now.time, shares: last.shares}] : [];
    for (const {time, shares} of [...person.points, ...held]) {
      if (!shares) {
        pen = false;
      } else if (pen) {
        ink.lineTo(x(time), y(shares[index]));
      } else {
        ink.moveTo(x(time), y(shares[index]));
        pen = true;
      }
    }
    ink.stroke();
  });
  ink.restore();
  showReading(person, ink, {left, right, top, bottom, x, colour});
}

function showReading(person, ink, {left, right, top, bottom, x, colour}) {
  const box = $("reading");
  const at = now.pointer;
  const time = at === null ? 0 : now.time - ((right - at) / (right - left)) * SPAN_S;
  const point = at === null ? null : person.points.filter((entry) => entry.shares && entry.time <= time).at(-1);
  box.hidden = !point || at < left || at > right;
  if (box.hidden) {
    return;
  }
  ink.strokeStyle = colour("--muted");
  ink.lineWidth = 1;
  ink.beginPath();
  ink.moveTo(x(point.time), top);
  ink.lineTo(x(point.time), bottom);
  ink.stroke();
  const best = now.labels
    .map((label, index) => [point.shares[index], label])
    .filter(([, label]) => !off.has(label))
    .sort((one, other) => other[0] - one[0])
    .slice(0, 3);
  const ago = now.time - point.time;
  setText(box, [`−${ago.toFixed(1)} s`, ...best.map(([share, label]) => `${percent(share)}  ${label}`)].join("\n"));
  const place = x(point.time);
  const wide = box.offsetWidth;
  box.style.left = `${place + 10 + wide < right ? place + 10 : place - 10 - wide}px`;
}

// All of it

function show() {
  const at = performance.now();
  for (const [id, person] of people) {
    if (at - person.seen > AWAY_MS && link.state === "live" && at - now.seen < OLD_MS) {
      person.row.item.remove();
      people.delete(id);
    }
  }
  if (!people.has(now.selected)) {
    now.selected = people.keys().next().value ?? null;
  }
  for (const person of people.values()) {
    showRow(person, now.seen);
  }
  const there = [...people.values()].filter((person) => now.seen - person.seen <= 400).length;
  setText($("count"), there === 0 ? "People" : there === 1 ? "1 person" : `${there} people`);
  const person = people.get(now.selected);
  $("person").hidden = !person;
  $("empty").hidden = Boolean(person);
  document.body.classList.toggle("alone", !person && $("video").hidden);
  if (person) {
    showPerson(person);
  }
  setText($("source"), now.source ?? "");
  showState(at);
}

function showState(at) {
  const quiet = link.state === "live" && at - now.seen > OLD_MS;
  const live = link.state === "live" && !quiet;
  const rate = now.arrivals.filter((moment) => moment > at - 3000).length / 3;
  setText($("rate"), live && rate > 0 ? `${Math.round(rate)} fps` : "");
  const words = {
    connecting: "Connecting…", live: now.seen ? "No new frames" : "Waiting for frames", lost: "Connection lost",
    refused: "Not allowed", outdated: "Another version",
  };
  setText($("word"), live ? "Live" : words[link.state]);
  document.body.classList.toggle("live", live);
  document.body.classList.toggle("stale", people.size > 0 && !live);
  const notices = {
    lost: "Mien cannot be reached at the moment. This page connects again by itself.",
    refused: "The token in this page's address is no longer valid. Open the address that Mien shows now.",
    outdated: "Mien was updated. Load this page again.",
  };
  const notice = link.state === "live" ? eventNotice(at) : notices[link.state] ?? "";
  setText($("notice"), notice);
  $("notice").hidden = !notice;
  const titles = {live: quiet ? "Waiting for frames" : "Nobody is in view", connecting: "Connecting…"};
  setText($("empty-title"), titles[link.state] ?? words[link.state]);
  setText($("empty-text"), live ? "Faces appear here as soon as they are found." : "");
  document.title = live && now.source ? `${now.source} – Mien` : "Mien";
}

let lastEvent = null;

function eventNotice(at) {
  if (lastEvent === null || (lastEvent.until !== null && at > lastEvent.until)) {
    lastEvent = null;
    return "";
  }
  return lastEvent.text;
}

const link = new Link({
  state() {
    now.dirty = true;
  },
  hello() {
    now.arrivals = [];
  },
  scene(message) {
    if (lastEvent !== null && lastEvent.until === null) {
      lastEvent = null;  // the signal is back
    }
    take(message);
  },
  event(message) {
    if (message.event === "no signal") {
      lastEvent = {text: message.text, until: null};
    } else if (message.event === "marker") {
      lastEvent = {text: `Marker: ${message.text || "(no text)"}`, until: performance.now() + 4000};
    } else if (message.event === "test") {
      lastEvent = {text: "A test from Mien has arrived.", until: performance.now() + 4000};
    } else if (message.event === "source") {
      reset();
    }
    now.dirty = true;
  },
  async picture(blob) {
    const image = await createImageBitmap(blob);
    const canvas = $("video");
    if (canvas.hidden) {
      canvas.hidden = false;
      now.dirty = true;
    }
    if (canvas.width !== image.width || canvas.height !== image.height) {
      canvas.width = image.width;
      canvas.height = image.height;
    }
    canvas.getContext("2d").drawImage(image, 0, 0);
    image.close();
  },
});

$("plot").addEventListener("pointermove", (event) => {
  now.pointer = event.clientX - $("plot").getBoundingClientRect().left;
  now.dirty = true;
});
$("plot").addEventListener("pointerleave", () => {
  now.pointer = null;
  now.dirty = true;
});
new ResizeObserver(() => {
  now.dirty = true;
}).observe($("plot"));
setInterval(() => {
  now.dirty = true;  // time goes on without messages, too
}, 500);
(function frame() {
  if (now.dirty) {
    now.dirty = false;
    show();
  }
  requestAnimationFrame(frame);
})();
