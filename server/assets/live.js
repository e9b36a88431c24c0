// Keeps the board current: the server tells which elements changed. Without it, load the page again.
// A hidden page holds no connection: browsers give a server six at a time.
const board = document.querySelector("[data-live]");
let source;
let timer;
let seen = board.dataset.seen;

const put = (id, what, value) => {
  const element = document.getElementById(id);
  if (!element) return;
  if (what === "text") {
    if (element.textContent !== value) element.textContent = value;
  } else if (what === "class") element.className = value;
  else if (what === "hidden") element.hidden = value;
  else if (what === "value" || what === "max") element[what] = value;
};

const note = (words, after) => {
  document.getElementById("live-note").hidden = !words;
  put("live-words", "text", words);
  if (after) timer = setTimeout(open, after);
};

const close = () => {
  clearTimeout(timer);
  if (source) source.close();
  source = undefined;
};

function open() {
  close();
  if (document.hidden) return;
  source = new EventSource(`${board.dataset.live}?seen=${seen}`);
  source.onopen = () => note("");
  source.addEventListener("change", (event) => {
    for (const [id, what, value] of JSON.parse(event.data)) put(id, what, value);
    seen = "";
    const now = document.querySelector("[data-said]");
    if (now) put("live-said", "text", now.textContent);
  });
  source.addEventListener("again", (event) => {
    close();
    seen = event.data;
    timer = setTimeout(open, 200 + Math.random() * 800);
  });
  source.addEventListener("load", () => {
    close();
    note(board.dataset.load);
  });
  // Too many pages are open: this one is loaded again instead.
  source.addEventListener("busy", () => {
    close();
    note(board.dataset.lost);
    timer = setTimeout(() => location.reload(), 60000);
  });
  source.onerror = () => {
    const ended = source && source.readyState === EventSource.CLOSED;
    close();
    // Closed: signed out, or no longer ours to see. Otherwise the line broke.
    note(board.dataset.lost, ended ? 0 : 5000 + Math.random() * 5000);
  };
}

document.addEventListener("visibilitychange", () => (document.hidden ? close() : open()));
addEventListener("pagehide", close);
open();
