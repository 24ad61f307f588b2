// The page: what comes from the stream goes to the store, and from there to the cards, the pulse and the list.

import { Cards, keyOf } from "./cards.js";
import { Conversation } from "./conversation.js";
import { $, say } from "./dom.js";
import { Drawer } from "./drawer.js";
import { Durations } from "./durations.js";
import { Filters } from "./filters.js";
import { List } from "./list.js";
import { Notices } from "./notices.js";
import { Pulse } from "./pulse.js";
import { after, HOST, PLACE, SESSION, Store, TIME, UID } from "./store.js";
import { ask, AnswerError, follow } from "./stream.js";
import { number, plural, showUtc } from "./words.js";

const store = new Store(100_000);
const conversation = new Conversation();
/** A row's session as a conversation, up to that row. */
const talk = (row) => row[SESSION] && conversation.open({ host: row[HOST], uid: row[UID], session: row[SESSION] }, row[PLACE]);
const drawer = new Drawer(() => $("list").focus({ preventScroll: true }), talk);
const list = new List(store, (row) => drawer.open(row));
const cards = new Cards((card) => {
  filters.chooseSession(card);
  cards.draw();
});
const durations = new Durations(store);
const notices = new Notices((card) => keyOf(card.host, card.uid, card.session));
const pulse = new Pulse(store, (from, until) => {
  const hits = store.hits;
  const index = after(hits, until - 1, TIME) - 1;
  if (index < 0 || hits[index][TIME] < from) return;
  show("events");
  list.reveal(list.indexOf(hits[index][PLACE]));
});
const filters = new Filters(store, cards, () => {
  list.heldAt = null;
  list.list.scrollTop = 0;
  pulse.recount();
  draw();
}, () => $("list").focus({ preventScroll: true }));

let source = "", paused = false, pausedAt = 0, serverState = { live: false }, lost = false, drawing = false, drawnPulse = 0, named = 0;

/** Draw once for all that came since the last picture. */
function draw() {
  if (drawing) return;
  drawing = true;
  requestAnimationFrame(() => {
    drawing = false;
    const several = store.names.user.size > 1;
    list.severalUsers = cards.severalUsers = several;
    list.draw();
    if (!paused && performance.now() - drawnPulse > 250) {
      drawnPulse = performance.now();
      pulse.draw();
    }
    say($("count"), filters.any ? `${number(store.hits.length)} of ${number(store.rows.length)}` : number(store.rows.length));
    const empty = store.hits.length === 0;
    $("no-events").hidden = !empty;
    if (empty) say($("no-events"), filters.any ? filters.trouble || "No event matches these filters." : "No event yet. They show up here as they come.");
    if (paused) status();
  });
}

let drawnCards = 0, drawingCards = null;

/** Cards a few times a second: enough for the eye, and little work when thousands of events come. */
function drawCards() {
  if (drawingCards !== null) return;
  drawingCards = setTimeout(() => {
    drawingCards = null;
    drawnCards = performance.now();
    cards.draw();
    $("no-sessions").hidden = cards.cards.size > 0 || !serverState.live;
  }, Math.max(0, 250 - (performance.now() - drawnCards)));
}

function status() {
  const link = $("link");
  const late = paused ? store.added - pausedAt : 0;
  link.dataset.state = lost ? "lost" : paused ? "paused" : serverState.live ? "live" : "lost";
  say($("link-text"), lost ? "Disconnected" : paused ? `Paused${late ? ` · ${plural(late, "event")} since` : ""}` : serverState.live ? `Live · ${source}` : "The server is gone");
  const trouble = lost
    ? "The connection to the web command is lost: it has ended, or can’t be reached. If you have started it anew, open the link that it printed."
    : serverState.live ? "" : serverState.trouble ?? "";
  $("notice").hidden = !trouble;
  say($("notice-text"), trouble);
  $("again").hidden = !lost;
}

let older = false;

/** Fetch what was before the rows that a new page gets at once. */
async function fetchOlder() {
  if (older) return;
  older = true;
  try {
    while (!store.full && store.rows.length) {
      const rows = await ask("rows", { before: store.first });
      if (!rows.length) break;
      store.prepend(rows);
      cards.count(rows);
      pulse.recount();
      draw();
    }
  } catch (error) {
    if (!(error instanceof AnswerError)) throw error;
  } finally {
    older = false;
  }
}

function connect() {
  lost = false;
  follow(store.last, {
    hello(hello) {
      source = `${hello.viewer} on ${hello.machine}`;
      $("link").title = `What ${hello.viewer} may see of ${hello.source}`;
      store.kept = hello.kept;
      filters.known = hello.known;
      filters.stretch = hello.stretch;
      filters.utc = hello.utc;
      showUtc(hello.utc);
    },
    batch(batch) {
      if (batch.fresh) {
        store.clear();
        cards.clear();
        notices.startOver();
        pulse.recount();
      }
      if (batch.gap) store.clear();
      if (batch.state) {
        serverState = batch.state;
        status();
        draw();
        drawCards();
        filters.searchOn();
      }
      if (batch.rows) {
        const early = store.rows.length === 0;
        pulse.add(store.append(batch.rows));
        cards.count(batch.rows);
        if (early) fetchOlder();
        draw();
        filters.searchOn();
      }
      if (batch.cards) {
        cards.update(batch.cards);
        notices.update(batch.cards);
        drawCards();
      }
    },
    lost() {
      lost = true;
      status();
    },
  });
}

function pause(on) {
  paused = on;
  pausedAt = store.added;
  $("pause").setAttribute("aria-pressed", String(on));
  say($("pause").querySelector(".label"), on ? "Go on" : "Pause");
  list.pause(on);
  cards.pause(on);
  pulse.pause(on);
  status();
  draw();
}

function show(tab) {
  document.body.dataset.tab = tab;
  for (const button of document.querySelectorAll("[data-to]")) {
    if (button.dataset.to === tab) button.setAttribute("aria-current", "true");
    else button.removeAttribute("aria-current");
  }
  list.draw();
  pulse.draw();
}

const THEMES = { system: "as the system", light: "light", dark: "dark" };

function theme(name) {
  if (name === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = name;
  localStorage.setItem("observatory-theme", name);
  say($("theme-text"), `Theme: ${THEMES[name]}`);
  $("theme").title = `Theme: ${THEMES[name]}`;
  pulse.recolour();
}

const themeNow = () => document.documentElement.dataset.theme ?? "system";
$("theme").addEventListener("click", () => {
  const names = Object.keys(THEMES);
  theme(names[(names.indexOf(themeNow()) + 1) % names.length]);
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => pulse.recolour());

$("pause").addEventListener("click", () => pause(!paused));
$("again").addEventListener("click", connect);
$("help-open").addEventListener("click", () => $("help").showModal());
for (const button of document.querySelectorAll("[data-to]")) button.addEventListener("click", () => show(button.dataset.to));

document.addEventListener("keydown", (event) => {
  if (event.altKey || event.ctrlKey || event.metaKey || document.querySelector("dialog[open]")) return;
  const writing = event.target.matches("input, select, textarea");
  if (event.key === "Escape") {
    if (writing) event.target.blur();
    else if (drawer.isOpen) drawer.close();
    else filters.clear();
    return;
  }
  if (writing) return;
  const actions = {
    "/": () => { show("events"); $("text").focus(); },
    "p": () => pause(!paused),
    "g": () => { list.toNewest(); list.select(0); },
    "?": () => $("help").showModal(),
    "c": () => { const row = list.move(0); if (row) talk(row); },
    "d": () => durations.open(),
    "j": () => step(1),
    "k": () => step(-1),
  };
  const action = actions[event.key];
  if (!action) return;
  event.preventDefault();
  action();
});

/** To the next event; where one is open, the next is opened. */
function step(by) {
  const row = list.move(by);
  if (row && drawer.isOpen) drawer.open(row);
}
$("list").addEventListener("keyup", (event) => {
  if (["ArrowDown", "ArrowUp"].includes(event.key) && drawer.isOpen) step(0);
});

setInterval(() => {
  cards.tick();
  if (store.added !== named) {
    named = store.added;
    filters.refresh();
  }
  if (!paused) pulse.draw();
}, 1000);
setInterval(() => cards.draw(), 5000);

theme(localStorage.getItem("observatory-theme") in THEMES ? localStorage.getItem("observatory-theme") : "system");
status();
connect();
