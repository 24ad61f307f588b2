// Sessions as cards: who waits for me, who works, who rests.

import { $, el, say, svg } from "./dom.js";
import { spark } from "./pulse.js";
import { HOST, SESSION, TIME, UID } from "./store.js";
import { ago, mood, number, pathParts, plural, span, stateWords } from "./words.js";

const GROUPS = [
  { key: "waiting", title: "Waiting for you", moods: ["waiting"] },
  { key: "working", title: "Working", moods: ["working"] },
  { key: "idle", title: "Idle", moods: ["idle"] },
  { key: "over", title: "Over", moods: ["ended", "dead"] },
];
const SPARK_BARS = 40, SPARK_WIDTH = 15_000;
/** An idle session that has been silent for so long is not what anyone asks about now. */
const LONG = 12 * 3600 * 1000;
const SHOWN = 60;

export const keyOf = (host, uid, session) => `${host ?? ""}\u0000${uid ?? ""}\u0000${session}`;

export class Cards {
  /** `choose(card or null)` is called when a session was chosen. */
  constructor(choose) {
    this.choose = choose;
    this.cards = new Map();
    this.elements = new Map();
    this.chosen = null;
    this.paused = false;
    this.severalUsers = false;
    /** How many events each session had in each span of SPARK_WIDTH milliseconds. */
    this.pulses = new Map();
    this.groups = GROUPS.map((group) => this.#group(group));
    $("cards").append(...this.groups.map((group) => group.element));
  }

  update(cards) {
    for (const card of cards) this.cards.set(keyOf(card.host, card.uid, card.session), card);
  }

  /** Count events for the small curves. */
  count(rows) {
    const oldest = Math.floor(Date.now() / SPARK_WIDTH) - SPARK_BARS;
    for (const row of rows) {
      const bin = Math.floor(row[TIME] / SPARK_WIDTH);
      if (bin <= oldest || !row[SESSION]) continue;
      const key = keyOf(row[HOST], row[UID], row[SESSION]);
      let bins = this.pulses.get(key);
      if (!bins) this.pulses.set(key, (bins = new Map()));
      bins.set(bin, (bins.get(bin) ?? 0) + 1);
    }
  }

  clear() {
    this.cards.clear();
    this.pulses.clear();
  }

  pause(on) {
    this.paused = on;
    if (!on) this.draw();
  }

  /** Put everything where it belongs. Elements stay, so that focus does. */
  draw() {
    if (this.paused) return;
    const now = Date.now();
    const shown = new Set();
    const tally = { waiting: 0, working: 0, idle: 0 };
    const all = [...this.cards.entries()].sort(([, a], [, b]) => b.last - a.last);
    for (const group of this.groups) {
      let members = all.filter(([, card]) => group.moods.includes(this.#mood(card, now)));
      if (group.key in tally) tally[group.key] = members.length;
      // Those that work are asked for their names, not for who spoke last: they keep their places.
      if (group.key === "working" || group.key === "waiting") members.sort(([, a], [, b]) => a.started - b.started || (a.session < b.session ? -1 : 1));
      group.element.hidden = members.length === 0;
      say(group.count, number(members.length));
      members = members.slice(0, SHOWN);
      const wanted = members.map(([key, card]) => {
        shown.add(key);
        return this.#element(key, card, now);
      });
      wanted.forEach((element, index) => {
        if (group.list.children[index] !== element) group.list.insertBefore(element, group.list.children[index] ?? null);
      });
      while (group.list.children.length > wanted.length) group.list.lastChild.remove();
    }
    for (const key of this.elements.keys()) if (!shown.has(key)) this.elements.delete(key);
    this.#headline(tally);
    this.#sparks(now);
  }

  /** The same cards, a second later. */
  tick() {
    if (this.paused) return;
    const now = Date.now();
    for (const [key, element] of this.elements) {
      const card = this.cards.get(key);
      if (card) this.#times(element.firstChild.parts, card, now);
    }
  }

  #mood(card, now) {
    const found = mood(card.state);
    return found === "idle" && now - card.last > LONG ? "ended" : found;
  }

  #group({ key, title, moods }) {
    const count = el("span.n");
    const list = el("ul");
    const head = el(key === "over" ? "summary" : "h3", {}, title, count);
    const element = el(key === "over" ? "details.group.over" : "section.group", { hidden: true }, head, list);
    return { key, moods, element, list, count };
  }

  #element(key, card, now) {
    let item = this.elements.get(key);
    if (!item) {
      const parts = { state: el("span.state"), age: el("span.age"), base: el("b"), parent: el("span"), what: el("span.what"), foot: el("span"), spark: svg("svg", { "aria-hidden": "true" }) };
      const button = el("button.card", { type: "button", "aria-pressed": "false" },
        el("span.top", {}, el("i.dot", { "aria-hidden": "true" }), parts.state, parts.age),
        el("span.project", {}, parts.base, parts.parent), parts.what, el("span.foot", {}, parts.foot, parts.spark));
      button.parts = parts;
      button.addEventListener("click", () => this.choose(this.chosen === key ? null : this.cards.get(key)));
      item = el("li", {}, button);
      this.elements.set(key, item);
    }
    const button = item.firstChild;
    const { parts } = button;
    const { base, parent } = pathParts(card.project || "");
    button.dataset.mood = this.#mood(card, now);
    button.setAttribute("aria-pressed", String(this.chosen === key));
    say(parts.state, stateWords(card));
    say(parts.base, card.project ? base : card.session.slice(0, 8));
    say(parts.parent, parent);
    parts.base.title = card.project;
    say(parts.what, card.what || card.event);
    parts.what.title = card.what;
    this.#times(parts, card, now);
    return item;
  }

  #times(parts, card, now) {
    const over = ["ended", "dead"].includes(mood(card.state));
    say(parts.age, over ? ago(card.last, now) : span(now - card.since));
    const who = this.severalUsers ? [card.host ? `uid ${card.user} on ${card.host}` : card.user] : [];
    const age = over ? `ran for ${span(Math.max(2000, card.last - card.started))}` : `started ${ago(card.started, now)}`;
    say(parts.foot, [...who, age, plural(card.events, "event")].join(" · "));
  }

  #headline({ waiting, working, idle }) {
    const title = $("now");
    const parts = [];
    if (waiting) parts.push(el("b.calls", {}, waiting === 1 ? "One agent waits for you" : `${number(waiting)} agents wait for you`));
    if (working) parts.push(el("b.works", {}, waiting ? `${number(working)} at work` : working === 1 ? "One agent is at work" : `${number(working)} agents are at work`));
    if (!parts.length) parts.push(this.cards.size ? (idle ? "All is quiet" : "Nothing runs") : "All is quiet");
    else if (idle) parts.push(`${number(idle)} idle`);
    const text = `${parts.map((part) => part.textContent ?? part).join(", ")}.`;
    if (title.textContent === text) return;
    title.replaceChildren(...parts.flatMap((part, index) => (index ? [", ", part] : [part])), ".");
    // Spoken at most every few seconds, and only how it stands then.
    clearTimeout(this.speaking);
    this.speaking = setTimeout(() => say($("now-spoken"), title.textContent), 3000);
    const badge = waiting ? `(${waiting}) ` : "";
    document.title = `${badge}Observatory`;
  }

  #sparks(now) {
    const last = Math.floor(now / SPARK_WIDTH);
    for (const [key, item] of this.elements) {
      const bins = this.pulses.get(key);
      const counts = Array.from({ length: SPARK_BARS }, (_, bar) => bins?.get(last - SPARK_BARS + 1 + bar) ?? 0);
      spark(item.firstChild.parts.spark, counts);
      for (const bin of bins?.keys() ?? []) if (bin <= last - SPARK_BARS) bins.delete(bin);
    }
    for (const key of this.pulses.keys()) if (!this.elements.has(key)) this.pulses.delete(key);
  }
}
