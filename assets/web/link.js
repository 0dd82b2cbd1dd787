"use strict";
// What both pages share: the connection to Mien, which comes back by itself, and words for what it sends.

const FORMAT = 2;  // of the scenes that these pages understand
const SILENT_MS = 6000;  // Mien says something at least every two seconds
const RETRY_MS = [300, 700, 1500, 3000];
const REFUSED_RETRY_MS = 5000;

class Link {
  // `told` has any of: state(word), hello(message), scene(message), event(message), picture(blob).
  constructor(told) {
    this.told = told;
    this.tries = 0;
    this.state = "connecting";
    this.connect();
  }

  connect() {
    const address = new URL("ws", location.href);
    address.protocol = location.protocol === "https:" ? "wss:" : "ws:";
    address.search = location.search;
    if (this.told.picture) {
      address.searchParams.set("video", "1");
    }
    let opened = false;
    const socket = new WebSocket(address);
    socket.binaryType = "blob";
    const watch = () => {
      clearTimeout(this.silence);
      this.silence = setTimeout(() => this.lose(socket), SILENT_MS);
    };
    watch();
    socket.onopen = () => {
      opened = true;
      this.tries = 0;
      watch();
    };
    socket.onmessage = ({data}) => {
      watch();
      if (data instanceof Blob) {
        this.tell("picture", data);
        return;
      }
      const message = JSON.parse(data);
      if (message.type === "hello") {
        this.become(message.format === FORMAT ? "live" : "outdated");
      }
      this.tell(message.type, message);
    };
    socket.onclose = () => this.lose(socket, !opened);
    this.socket = socket;
  }

  // Also where the socket has not noticed itself: a machine that sleeps, a cable that was pulled.
  lose(socket, early = false) {
    if (socket !== this.socket) {
      return;
    }
    this.socket = null;
    clearTimeout(this.silence);
    socket.close();
    const wait = RETRY_MS[Math.min(this.tries++, RETRY_MS.length - 1)];
    if (!early) {
      this.become("lost");
      setTimeout(() => this.connect(), wait);
      return;
    }
    // Why a socket is refused is not told to scripts; why a page is, is.
    fetch(location.href, {cache: "no-store"}).then(
      (answer) => (answer.status === 401 || answer.status === 403 ? "refused" : "lost"),
      () => "lost",
    ).then((why) => {
      this.become(why === "lost" && this.state === "connecting" ? "connecting" : why);
      setTimeout(() => this.connect(), why === "refused" ? REFUSED_RETRY_MS : wait);
    });
  }

  become(state) {
    this.state = state;
    this.tell("state", state);
  }

  tell(kind, what) {
    if (Object.hasOwn(this.told, kind)) {
      this.told[kind](what);
    }
  }
}

// A new element. What comes from elsewhere, such as names and labels, is only ever set as text.
function element(tag, className = "", text = "") {
  const made = document.createElement(tag);
  made.className = className;
  made.textContent = text;
  return made;
}

function setText(of, text) {
  if (of.textContent !== text) {
    of.textContent = text;
  }
}

function percent(share) {
  return `${Math.round(100 * share)} %`;
}

function nameOf(face) {
  return face.name || `Person ${face.person}`;
}

function personColour(id) {
  return `var(--person-${(((id - 1) % 6) + 6) % 6})`;
}

function labelColour(index) {
  return `var(--label-${index % 8})`;
}

// Dark, light or as the system; again whenever the system changes.
function followTheme(wished) {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const apply = () => {
    const choice = wished === "dark" || wished === "light" ? wished : dark.matches ? "dark" : "light";
    document.documentElement.dataset.theme = choice;
  };
  dark.addEventListener("change", apply);
  apply();
}
