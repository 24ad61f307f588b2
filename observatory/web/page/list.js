// The list of events, newest first. Only the rows that can be seen are in the page, and they are used again and again.

import { $, el, say } from "./dom.js";
import { after, EVENT, KIND, PLACE, PROJECT, SESSION, TIME, TOOK, TOOL, WHAT, whose } from "./store.js";
import { dateAndTime, dayOf, milliseconds, pathParts, plural, timeOfDay, took } from "./words.js";

const SPARE = 6;

export class List {
  /** `open(row)` is called when a row is to be opened. */
  constructor(store, open) {
    this.store = store;
    this.open = open;
    this.list = $("list");
    this.sheet = $("sheet");
    this.pill = $("fresh");
    this.pool = [];
    this.selected = null;
    this.heldAt = null;
    this.pausedAt = null;
    this.severalUsers = false;
    this.#measure();
    this.list.addEventListener("scroll", () => this.#onScroll(), { passive: true });
    this.list.addEventListener("keydown", (event) => this.#onKey(event));
    this.list.addEventListener("focus", () => { if (this.selected === null) this.select(0, false); });
    this.sheet.addEventListener("click", (event) => {
      const row = event.target.closest(".row")?.row;
      if (!row) return;
      this.selected = row[PLACE];
      this.draw();
      this.open(row);
    });
    this.pill.addEventListener("click", () => this.toNewest());
    new ResizeObserver(() => { this.#measure(); this.draw(); }).observe(this.list);
  }

  /** How many of the matching rows the list shows: those that came while it holds still are not yet among them. */
  get size() {
    const hits = this.store.hits;
    const bound = this.pausedAt ?? this.heldAt;
    return bound === null ? hits.length : after(hits, bound);
  }

  rowAt(index) {
    const size = this.size;
    return index < 0 || index >= size ? null : this.store.hits[size - 1 - index];
  }

  indexOf(place) {
    const found = after(this.store.hits, place) - 1;
    if (found < 0 || this.store.hits[found][PLACE] !== place) return -1;
    return this.size - 1 - found;
  }

  /** Hold still, whatever comes, until `pause(false)`. */
  pause(on) {
    this.pausedAt = on ? this.heldAt ?? this.store.last : null;
    this.draw();
  }

  toNewest() {
    this.heldAt = null;
    this.list.scrollTop = 0;
    this.draw();
  }

  /** Scroll so that this row is in the middle, and hold. */
  reveal(index) {
    this.list.scrollTop = Math.max(0, index * this.height - this.list.clientHeight / 2);
    this.#hold();
    this.draw();
  }

  /** Select a row by its index and keep it in sight. */
  select(index, scroll = true) {
    const row = this.rowAt(Math.max(0, Math.min(this.size - 1, index)));
    if (!row) return null;
    this.selected = row[PLACE];
    if (scroll) {
      const top = this.indexOf(this.selected) * this.height;
      if (top < this.list.scrollTop) this.list.scrollTop = top;
      else if (top + this.height > this.list.scrollTop + this.list.clientHeight) this.list.scrollTop = top + this.height - this.list.clientHeight;
      this.#hold();
    }
    this.draw();
    return row;
  }

  move(by) {
    const index = this.selected === null ? -1 : this.indexOf(this.selected);
    return this.select(index < 0 ? 0 : index + by);
  }

  draw() {
    const size = this.size;
    const { height } = this;
    this.sheet.style.height = `${size * height}px`;
    this.list.setAttribute("aria-rowcount", String(size));
    const waiting = this.store.hits.length - size;
    this.pill.hidden = waiting === 0 || this.pausedAt !== null;
    if (waiting) say(this.pill, `↑ ${plural(waiting, "newer event")}`);
    const first = Math.max(0, Math.floor(this.list.scrollTop / height) - SPARE);
    const last = Math.min(size, Math.ceil((this.list.scrollTop + this.list.clientHeight) / height) + SPARE);
    while (this.pool.length < last - first) this.pool.push(this.#make());
    // A row keeps its element while it is in sight, so that only what changes is drawn.
    let active = "";
    for (let index = first; index < last; index++) {
      const element = this.pool[index % this.pool.length];
      this.#fill(element, this.store.hits[size - 1 - index], index);
      if (element.row[PLACE] === this.selected) active = element.id;
    }
    for (let spare = last; spare < first + this.pool.length; spare++) {
      const element = this.pool[spare % this.pool.length];
      element.hidden = true;
      element.row = null;
    }
    if (active) this.list.setAttribute("aria-activedescendant", active);
    else this.list.removeAttribute("aria-activedescendant");
  }

  #make() {
    const cell = (name, ...children) => el(`div.${name}`, { role: "gridcell" }, ...children);
    const parts = { clock: el("span"), rest: el("small"), name: el("span") };
    const element = el("div.row", { role: "row", id: `row-${this.pool.length}` },
      (parts.time = cell("time", parts.clock, parts.rest)),
      cell("event", el("i.dot", { "aria-hidden": "true" }), parts.name),
      (parts.tool = cell("tool")),
      (parts.took = cell("took")),
      (parts.what = cell("what")),
      (parts.who = cell("who")));
    element.parts = parts;
    this.sheet.append(element);
    return element;
  }

  #fill(element, row, index) {
    element.hidden = false;
    if (element.index !== index) {
      element.index = index;
      element.style.transform = `translateY(${index * this.height}px)`;
      element.setAttribute("aria-rowindex", String(index + 1));
    }
    const selected = row[PLACE] === this.selected;
    if (element.selected !== selected) {
      element.selected = selected;
      element.setAttribute("aria-selected", String(selected));
    }
    if (element.row === row && element.several === this.severalUsers) return;
    element.row = row;
    element.several = this.severalUsers;
    const { parts } = element;
    element.className = `row k${row[KIND]}`;
    const old = Date.now() - row[TIME] > 20 * 3600 * 1000;
    parts.clock.textContent = old ? `${dayOf(row[TIME])} ` : timeOfDay(row[TIME]);
    parts.rest.textContent = old ? timeOfDay(row[TIME]).slice(0, 5) : milliseconds(row[TIME]);
    parts.time.title = dateAndTime(row[TIME]);
    parts.name.textContent = row[EVENT];
    parts.tool.textContent = row[TOOL];
    parts.took.textContent = took(row[TOOK]);
    parts.what.textContent = row[WHAT];
    const project = row[PROJECT] ? pathParts(row[PROJECT]).base : row[SESSION].slice(0, 8);
    parts.who.textContent = this.severalUsers ? [project, whose(row)].filter(Boolean).join(" · ") : project;
  }

  #measure() {
    const probe = this.pool[0] ?? this.#make();
    if (!this.pool.length) this.pool.push(probe);
    const shown = !probe.hidden;
    probe.hidden = false;
    this.height = parseFloat(getComputedStyle(probe).height) || 34;
    probe.hidden = !shown;
    for (const element of this.pool) element.index = -1;
  }

  #hold() {
    const atTop = this.list.scrollTop < this.height / 2;
    if (atTop) this.heldAt = null;
    else if (this.heldAt === null && this.pausedAt === null) this.heldAt = this.store.last;
  }

  #onScroll() {
    const before = this.heldAt;
    this.#hold();
    if (before !== null && this.heldAt === null && this.store.hits.length > after(this.store.hits, before)) this.list.scrollTop = 0;
    this.draw();
  }

  #onKey(event) {
    const page = Math.max(1, Math.floor(this.list.clientHeight / this.height) - 1);
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity };
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    if (event.key in steps) {
      event.preventDefault();
      if (event.key === "Home") {
        this.toNewest();
        this.select(0);
      } else if (event.key === "End") this.select(this.size - 1);
      else this.move(steps[event.key]);
    } else if (event.key === "Enter" && this.selected !== null) {
      const row = this.rowAt(this.indexOf(this.selected));
      if (row) {
        event.preventDefault();
        this.open(row);
      }
    }
  }
}
