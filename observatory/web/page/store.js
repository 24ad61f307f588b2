// The latest events, in the order of their places, and those of them that match the filters.
// A row is an array as the server sends it; these are its places.

export const PLACE = 0, TIME = 1, EVENT = 2, KIND = 3, UID = 4, USER = 5, SESSION = 6, TOOL = 7, WHAT = 8, PROJECT = 9, HOST = 10, TOOK = 11;
const SLACK = 5000;

/** Whom a row's event is from: users of different machines are different users. */
export const whose = (row) => (row[HOST] === null ? `${row[USER]}` : `${row[USER]} on ${row[HOST]}`);

/** The place in ascending rows after the last one whose `key` is at most `value`. */
export function after(rows, value, key = PLACE) {
  let low = 0, high = rows.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (rows[middle][key] <= value) low = middle + 1;
    else high = middle;
  }
  return low;
}

export class Store {
  constructor(kept) {
    this.kept = kept;
    this.rows = [];
    this.hits = this.rows;
    this.matches = null;
    this.names = { event: new Map(), tool: new Map(), user: new Map() };
    this.added = 0;
  }

  get last() { return this.rows.length ? this.rows[this.rows.length - 1][PLACE] : 0; }
  get first() { return this.rows.length ? this.rows[0][PLACE] : 0; }
  get full() { return this.rows.length >= this.kept; }

  /** Take rows that follow those that are there. Returns those of them that match. */
  append(rows) {
    const fresh = rows.filter((row) => row[PLACE] > this.last);
    const matching = this.matches ? fresh.filter(this.matches) : fresh;
    for (const row of fresh) {
      this.rows.push(row);
      this.#count(row, 1);
    }
    if (this.matches) for (const row of matching) this.hits.push(row);
    this.added += fresh.length;
    if (this.rows.length > this.kept + SLACK) this.#drop(this.rows.length - this.kept);
    return matching;
  }

  /** Take older rows than those that are there, as far as there is room. */
  prepend(rows) {
    const room = this.kept - this.rows.length;
    if (room <= 0) return;
    const older = rows.filter((row) => row[PLACE] < (this.first || Infinity)).slice(-room);
    for (const row of older) this.#count(row, 1);
    const unfiltered = this.hits === this.rows;
    this.rows = older.concat(this.rows);
    this.hits = unfiltered ? this.rows : older.filter(this.matches).concat(this.hits);
  }

  /** Show only rows for which `matches` is true; all of them with null. */
  filter(matches) {
    this.matches = matches;
    this.hits = matches ? this.rows.filter(matches) : this.rows;
  }

  clear() {
    this.rows = [];
    for (const names of Object.values(this.names)) names.clear();
    this.filter(this.matches);
  }

  #drop(count) {
    for (const row of this.rows.splice(0, count)) this.#count(row, -1);
    if (this.hits !== this.rows) this.hits.splice(0, after(this.hits, this.first - 1));
  }

  #count(row, by) {
    for (const [names, value] of [[this.names.event, row[EVENT]], [this.names.tool, row[TOOL]], [this.names.user, whose(row)]]) {
      const count = (names.get(value) ?? 0) + by;
      if (count) names.set(value, count);
      else names.delete(value);
    }
  }
}
