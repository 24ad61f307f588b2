// The filters: by event, tool, session, user, and by text anywhere in an event.

import { $, el } from "./dom.js";
import { EVENT, HOST, PLACE, PROJECT, SESSION, TIME, TOOL, UID, USER, WHAT, whose } from "./store.js";
import { ask, AnswerError } from "./stream.js";
import { keyOf } from "./cards.js";
import { readQuery } from "./query.js";
import { number, pathParts, stateWords } from "./words.js";

const PATIENCE = 200;
const FIELDS = { event: EVENT, tool: TOOL, session: SESSION, user: USER, host: HOST };

export class Filters {
  /** `changed()` is called when other rows match than before, `leave()` when the find field is done with. */
  constructor(store, cards, changed, leave) {
    this.store = store;
    this.cards = cards;
    this.changed = changed;
    this.session = null;
    this.written = "";
    this.query = readQuery("", 0);
    this.found = new Set();
    this.searchedTo = 0;
    this.trouble = "";
    this.inputs = { event: $("by-event"), tool: $("by-tool"), session: $("by-session"), user: $("by-user") };
    $("filters").addEventListener("submit", (event) => {
      event.preventDefault();
      clearTimeout(this.typing);
      this.#write($("text").value);
      leave();
    });
    $("filters").addEventListener("reset", (event) => { event.preventDefault(); this.clear(); });
    $("text").addEventListener("input", () => {
      clearTimeout(this.typing);
      this.typing = setTimeout(() => this.#write($("text").value), PATIENCE);
    });
    for (const input of Object.values(this.inputs)) input.addEventListener("change", () => this.apply());
  }

  get any() {
    return Boolean(this.written || Object.values(this.inputs).some((input) => input.value));
  }

  clear() {
    $("text").value = "";
    for (const input of Object.values(this.inputs)) input.value = "";
    clearTimeout(this.typing);
    this.#write("");
    this.apply();
  }

  chooseSession(card) {
    this.refresh();
    this.inputs.session.value = card ? keyOf(card.host, card.uid, card.session) : "";
    this.apply();
  }

  apply() {
    const { event, tool, session, user } = Object.fromEntries(Object.entries(this.inputs).map(([name, input]) => [name, input.value]));
    for (const input of Object.values(this.inputs)) input.classList.toggle("set", Boolean(input.value));
    $("clear").hidden = !this.any;
    this.cards.chosen = session || null;
    const { found, query: { wanted, since, until, words: text } } = this;
    const named = Object.entries(wanted).map(([name, starts]) => [FIELDS[name], starts]);
    this.store.filter(!this.any ? null : (row) =>
      (!event || row[EVENT] === event)
      && (!tool || row[TOOL] === tool)
      && (!session || keyOf(row[HOST], row[UID], row[SESSION]) === session)
      && (!user || whose(row) === user)
      && (since === null || row[TIME] >= since)
      && (until === null || row[TIME] < until)
      && named.every(([field, starts]) => starts.some((start) => String(row[field] ?? "").toLowerCase().startsWith(start)))
      && (!text || found.has(row[PLACE]) || [row[WHAT], row[EVENT], row[TOOL], row[PROJECT], row[SESSION]].some((part) => part.toLowerCase().includes(text))));
    this.changed();
  }

  /** Bring what can be chosen up to date. */
  refresh() {
    const { names } = this.store;
    for (const name of ["event", "tool", "user"]) {
      const options = [...names[name]].filter(([value]) => value).sort(([a], [b]) => (a < b ? -1 : 1)).map(([value, count]) => [value, `${value} (${number(count)})`]);
      this.#fill(this.inputs[name], options);
    }
    const sessions = [...this.cards.cards].sort(([, a], [, b]) => b.last - a.last).slice(0, 200).map(([key, card]) => [key, `${card.project ? pathParts(card.project).base : card.session.slice(0, 8)} · ${stateWords(card)}`]);
    this.#fill(this.inputs.session, sessions);
    const several = names.user.size > 1;
    $("users").hidden = !several && !this.inputs.user.value;
    return several;
  }

  /** Look through events that came since the last search. The server has them whole; here are only their summaries. */
  async searchOn() {
    const { words: text } = this.query;
    if (!text || this.searching || this.searchedTo >= this.store.last) return;
    this.searching = true;
    const through = this.store.last;
    try {
      const places = await ask("search", { text, after: Math.max(this.searchedTo, this.store.first - 1), through });
      if (text !== this.query.words) return;
      this.searchedTo = through;
      this.trouble = this.query.trouble;
      if (places.length) {
        for (const place of places) this.found.add(place);
        this.apply();
      }
    } catch (error) {
      if (!(error instanceof AnswerError)) throw error;
      this.trouble = error.message;
    } finally {
      this.searching = false;
    }
  }

  #write(text) {
    const written = text.trim();
    if (written === this.written) return;
    this.written = written;
    this.query = readQuery(written, Date.now());
    this.trouble = this.query.trouble;
    this.found = new Set();
    this.searchedTo = 0;
    this.apply();
    this.searchOn();
  }

  #fill(input, options) {
    if (document.activeElement === input) return; // it may be open
    const chosen = input.value;
    if (chosen && !options.some(([value]) => value === chosen)) options.unshift([chosen, input.selectedOptions[0].textContent]);
    while (input.length > options.length + 1) input.remove(input.length - 1);
    options.forEach(([value, text], index) => {
      const there = input.options[index + 1];
      if (!there) input.append(el("option", { value }, text));
      else if (there.value !== value || there.textContent !== text) {
        there.value = value;
        there.textContent = text;
      }
    });
    input.value = chosen;
  }
}
