// The browser's notifications: a session that begins to wait, or has died, while nobody looks at the page.

import { $, say } from "./dom.js";
import { mood, number, pathParts, stateWords } from "./words.js";

const KEPT = "observatory-notices";
const TOLD = new Set(["waiting", "dead"]);
/** So many sessions are told one by one; more at a time are one notification. */
const FEW = 3;

export class Notices {
  /** `keyOf(card)` tells sessions apart. */
  constructor(keyOf) {
    this.keyOf = keyOf;
    this.button = $("notices");
    this.moods = null;
    this.button.hidden = !("Notification" in window);
    this.button.addEventListener("click", () => this.#toggle());
    this.#show();
  }

  get on() { return localStorage.getItem(KEPT) === "on" && "Notification" in window && Notification.permission === "granted"; }

  /** Cards that have changed. The first are how it stands, and no news. */
  update(cards) {
    const first = this.moods === null;
    this.moods ??= new Map();
    const news = [];
    for (const card of cards) {
      const key = this.keyOf(card), now = mood(card.state);
      if (TOLD.has(now) && this.moods.get(key) !== now) news.push(card);
      this.moods.set(key, now);
    }
    if (first || !this.on || !document.hidden) return;
    if (news.length > FEW) this.#tell(`${number(news.length)} sessions wait for you or have died`, "", "observatory");
    else for (const card of news) this.#tell(`${pathParts(card.project || card.session).base}: ${stateWords(card)}`, card.what, this.keyOf(card));
  }

  /** The events are another database's: what comes next is how it stands. */
  startOver() { this.moods = null; }

  #tell(title, body, tag) {
    const notice = new Notification(title, { body, tag });
    notice.onclick = () => { window.focus(); notice.close(); };
  }

  async #toggle() {
    const on = this.on;
    if (!on && Notification.permission !== "granted") await Notification.requestPermission();
    localStorage.setItem(KEPT, on ? "off" : "on");
    this.#show();
  }

  #show() {
    this.button.setAttribute("aria-pressed", String(this.on));
    const refused = "Notification" in window && Notification.permission === "denied";
    const words = refused ? "Notifications: the browser refuses them" : `Notifications of sessions that wait or die: ${this.on ? "on" : "off"}`;
    this.button.title = words;
    say($("notices-text"), words);
  }
}
