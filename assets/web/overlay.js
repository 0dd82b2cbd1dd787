// The overlay for OBS: a card for each person, or boxes where the video has the framing of Mien's source.
//
// In the address, after the token: &show=cards|boxes|both  &place=bottom-left|bottom-right|bottom-centre|top-…
// &size=1.5  &mirror=1  &theme=dark|light  &number=0 (no percentages)

const GONE_MS = 1500;  // on a stream nothing is better than what was true some seconds ago

const wishes = new URLSearchParams(location.search);
const wish = (name, known) => (known.includes(wishes.get(name)) ? wishes.get(name) : known[0]);
const showing = wish("show", ["cards", "boxes", "both"]);
const mirrored = wishes.get("mirror") === "1";
const numbers = wishes.get("number") !== "0";
const places = ["bottom-left", "bottom-right", "bottom-centre", "top-left", "top-right", "top-centre"];
document.body.dataset.place = wish("place", places);
document.documentElement.style.setProperty("--size", Math.min(Math.max(Number(wishes.get("size")) || 1, 0.4), 4));
followTheme(wishes.get("theme") === "light" ? "light" : "dark");

const cards = new Map();
const boxes = new Map();
let labels = [];
let last = null;
let seen = 0;
let known = false;

function newCard(id) {
  const whole = element("div", "card");
  whole.style.setProperty("--person", personColour(id));
  const who = element("div", "who one-line");
  const what = element("div", "what");
  const word = element("span", "word one-line");
  const number = element("span", "number");
  const track = element("span", "track");
  const fill = element("span", "fill");
  what.append(word, number);
  track.append(fill);
  whole.append(who, what, track);
  document.getElementById("cards").append(whole);
  return {whole, who, word, number, fill};
}

function showCard(card, face) {
  const shares = face.probabilities;
  const sure = Boolean(shares) && face.status !== "uncertain";
  const words = {warming: "warming up…", occluded: "out of sight", uncertain: "uncertain"};
  setText(card.who, nameOf(face));
  setText(card.word, sure ? face.label : words[face.status] ?? "…");
  setText(card.number, sure && numbers ? percent(shares[face.label]) : "");
  card.fill.style.width = sure ? `${100 * shares[face.label]}%` : "0";
  card.fill.style.background = sure ? labelColour(labels.indexOf(face.label)) : "none";
  card.whole.classList.toggle("quiet", !sure);
}

function newBox(id) {
  const whole = element("div", "box");
  whole.style.setProperty("--person", personColour(id));
  const tag = element("div", "tag one-line");
  whole.append(tag);
  document.getElementById("boxes").append(whole);
  return {whole, tag};
}

function showBox(box, face, [wide, high]) {
  // As OBS fits a video into its canvas: whole, in the middle.
  const scale = Math.min(innerWidth / wide, innerHeight / high);
  const [x, y, width, height] = face.box.map((value) => value * scale);
  const left = (innerWidth - wide * scale) / 2 + (mirrored ? wide * scale - x - width : x);
  const top = (innerHeight - high * scale) / 2 + y;
  const {style} = box.whole;
  [style.left, style.top, style.width, style.height] = [left, top, width, height].map((value) => `${value}px`);
  const sure = face.probabilities && face.status !== "uncertain";
  setText(box.tag, [nameOf(face), sure ? face.label : ""].filter(Boolean).join(" · "));
  box.whole.classList.toggle("occluded", face.status === "occluded");
  box.tag.style.maxWidth = `${Math.max(width + 60, 150)}px`;
  box.whole.classList.toggle("low", top < 50);
}

function update(shown, faces, make, change) {
  const ids = new Set(faces.map((face) => face.person));
  for (const [id, part] of shown) {
    if (!ids.has(id)) {
      part.whole.remove();
      shown.delete(id);
    }
  }
  for (const face of faces) {
    if (!shown.has(face.person)) {
      shown.set(face.person, make(face.person));
    }
    change(shown.get(face.person), face);
  }
}

function show() {
  const fresh = last !== null && link.state === "live" && performance.now() - seen < GONE_MS;
  const faces = fresh ? last.faces : [];
  for (const face of faces) {
    labels = face.probabilities ? Object.keys(face.probabilities) : labels;
  }
  update(cards, showing === "boxes" ? [] : faces, newCard, showCard);
  update(boxes, showing === "cards" ? [] : faces, newBox, (box, face) => showBox(box, face, last.size));
  // Words only while the source is being set up: later they would be on air.
  const hints = {connecting: "Waiting for Mien…", refused: "The token in this source's address is no longer valid."};
  const hint = known ? "" : hints[link.state] ?? "";
  const place = document.getElementById("hint");
  setText(place, hint);
  place.hidden = !hint;
}

const link = new Link({
  hello() {
    known = true;
  },
  scene(message) {
    last = message;
    seen = performance.now();
  },
});

(function frame() {
  show();
  requestAnimationFrame(frame);
})();
