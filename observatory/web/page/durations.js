// How long tools take, of the events that match the filters: the median and the 95th percentile of each, as a chart.

import { $, el } from "./dom.js";
import { TOOK, TOOL } from "./store.js";
import { number, took } from "./words.js";

/** The nearest rank of ascending times: a duration that there was. */
const rank = (times, part) => times[Math.ceil(part * times.length) - 1];

/** `{ tool, calls, median, p95, longest }` of each tool whose duration rows say, in milliseconds, the slowest first. */
export function durations(rows) {
  const found = new Map();
  for (const row of rows) {
    if (row[TOOK] === null || !row[TOOL]) continue;
    const times = found.get(row[TOOL]);
    if (times) times.push(row[TOOK]);
    else found.set(row[TOOL], [row[TOOK]]);
  }
  return [...found].map(([tool, times]) => {
    times.sort((a, b) => a - b);
    return { tool, calls: times.length, median: rank(times, 0.5), p95: rank(times, 0.95), longest: times[times.length - 1] };
  }).sort((a, b) => b.median - a.median || (a.tool < b.tool ? -1 : 1));
}

export class Durations {
  constructor(store) {
    this.store = store;
    this.dialog = $("durations");
    $("durations-open").addEventListener("click", () => this.open());
  }

  open() {
    const found = durations(this.store.hits);
    const most = Math.log10(Math.max(10, ...found.map((each) => each.p95)) + 1);
    /** Each step of the same width is ten times as long. */
    const bar = (name, time) => {
      const element = el(`i.${name}`);
      element.style.width = `${(100 * Math.log10(time + 1)) / most}%`;
      return element;
    };
    const rows = found.map((each) => el("tr", {},
      el("th", { scope: "row" }, each.tool), el("td", {}, number(each.calls)), el("td", {}, took(each.median)), el("td", {}, took(each.p95)), el("td", {}, took(each.longest)),
      el("td.bars", { "aria-hidden": "true" }, el("span", {}, bar("p95", each.p95), bar("median", each.median)))));
    const head = el("tr", {}, ...["Tool", "Calls", "Median", "95 %", "Longest"].map((word) => el("th", { scope: "col" }, word)), el("th", { "aria-hidden": "true" }));
    $("durations-body").replaceChildren(found.length
      ? el("table", {}, el("thead", {}, head), el("tbody", {}, ...rows))
      : el("p.none", {}, "No event that is shown says how long a tool took."));
    this.dialog.showModal();
  }
}
