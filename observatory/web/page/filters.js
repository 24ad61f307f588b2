// The filters: by event, tool, session, user, and by text anywhere in an event.

import { $, el } from "./dom.js";
import { EVENT, HOST, PLACE, PROJECT, SESSION, TIME, TOOL, UID, USER, WHAT, whose } from "./store.js";
import { ask, AnswerError } from "./stream.js";
import { keyOf } from "./cards.js";
import { readQuery } from "./query.js";
import { number, pathParts, stateWords } from "./words.js";

const PATIENCE = 200;
const FIELDS = { event: EVENT, tool: TOOL, session: SESSION, user: USER, host: HOST };

/** The same function, which looks only once at each value: few values are shared by many rows. */
function remembering(look) {
  const known = new Map();
  return (value) => {
    let answer = known.get(value);
    if (answer === undefined) known.set(value, (answer = look(value)));
    return answer;
  };
}

export class Filters {
  /** `changed()` is called when other rows match than before, `leave()` when the find field is done with. */
  constructor(store, cards, changed, leave) {
    this.store = store;
    this.cards = cards;
    this.changed = changed;
    this.session = null;
    this.written = "";
    this.query = readQuery("", 0, {}, false);
    this.found = new Set();
    /** Between which places whole events were looked through. */
    this.searched = null;
    /** The names of events and of tools that are known before they are recorded. */
    this.known = {};
    /** Places of which the server looks through whole events in one answer. */
    this.stretch = 0;
    /** Whether times without an offset are meant in UTC. */
    this.utc = false;
    this.trouble = "";
    this.inputs = { event: $("by-event"), tool: $("by-tool"), session: $("by-session"), user: $("by-user") };
    $("filters").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#write($("text").value);
      leave();
    });
    $("filters").addEventListener("reset", (event) => { event.preventDefault(); this.clear(); });
    $("text").addEventListener("input", () => this.#write($("text").value));
    for (const input of Object.values(this.inputs)) input.addEventListener("change", () => this.apply());
  }

  get any() {
    return Boolean(this.written || Object.values(this.inputs).some((input) => input.value));
  }

  clear() {
    $("text").value = "";
    for (const input of Object.values(this.inputs)) input.value = "";
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
    const named = Object.entries(wanted).map(([name, starts]) => [FIELDS[name], remembering((value) => starts.some((start) => String(value ?? "").toLowerCase().startsWith(start)))]);
    const has = remembering((value) => value.toLowerCase().includes(text));
    this.store.filter(!this.any ? null : (row) =>
      (!event || row[EVENT] === event)
      && (!tool || row[TOOL] === tool)
      && (!session || keyOf(row[HOST], row[UID], row[SESSION]) === session)
      && (!user || whose(row) === user)
      && (since === null || row[TIME] >= since)
      && (until === null || row[TIME] < until)
      && named.every(([field, begins]) => begins(row[field]))
      && (!text || row[WHAT].toLowerCase().includes(text) || has(row[EVENT]) || has(row[TOOL]) || has(row[PROJECT]) || has(row[SESSION]) || has(row[USER]) || found.has(row[PLACE])));
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

  /** Look through whole events, of which only summaries are here: those that came since the last search, then older ones, a
   * stretch at a time. */
  async searchOn() {
    const { words: text } = this.query;
    if (!text || this.searching || !this.store.rows.length) return;
    this.searching = true;
    try {
      for (;;) {
        const { first, last } = this.store;
        if (!this.searched) this.searched = { from: last, to: last };
        const { searched } = this;
        const newer = searched.to < last;
        const through = newer ? Math.min(last, searched.to + this.stretch) : searched.from;
        const after = newer ? searched.to : Math.max(first - 1, searched.from - this.stretch);
        if (through <= after) break;
        const places = await ask("search", { text, after, through });
        if (this.searched !== searched) return;
        if (newer) searched.to = through;
        else searched.from = after;
        this.trouble = this.query.trouble;
        if (places.length) {
          for (const place of places) this.found.add(place);
          this.apply();
        }
      }
    } catch (error) {
      if (!(error instanceof AnswerError)) throw error;
      this.trouble = error.message;
    } finally {
      this.searching = false;
      if (this.query.words !== text) this.searchSoon();
    }
  }

  /** Search once nothing is written for a moment. */
  searchSoon() {
    clearTimeout(this.typing);
    this.typing = setTimeout(() => this.searchOn(), PATIENCE);
  }

  #write(text) {
    const written = text.trim();
    if (written === this.written) return;
    this.written = written;
    this.query = readQuery(written, Date.now(), this.known, this.utc);
    this.trouble = this.query.trouble;
    this.found = new Set();
    this.searched = null;
    this.apply();
    this.searchSoon();
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
