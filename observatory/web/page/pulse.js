// The pulse: how many events at what time, by kind, of those that match the filters.

import { $, el, svg } from "./dom.js";
import { KIND, TIME } from "./store.js";
import { KINDS, plural, timeOfDay } from "./words.js";

const BARS = 120;
/** From the bottom of a bar to its top. */
const ORDER = [5, 1, 2, 4, 0, 3, 6];

export class Pulse {
  /** `jump(from, until)` is called when a bar was chosen: times in milliseconds. */
  constructor(store, jump) {
    this.store = store;
    this.jump = jump;
    this.minutes = 10;
    this.cursor = null;
    this.frozenAt = null;
    this.bins = new Map();
    this.chart = $("chart");
    this.canvas = $("canvas");
    this.tip = $("tip");
    for (const kind of [1, 2, 3, 4, 5, 6]) $("legend").append(el(`li.k${kind}`, {}, el("i", { "aria-hidden": "true" }), KINDS[kind]));
    for (const button of document.querySelectorAll("[data-minutes]")) {
      button.addEventListener("click", () => {
        this.minutes = Number(button.dataset.minutes);
        for (const other of document.querySelectorAll("[data-minutes]")) other.setAttribute("aria-pressed", String(other === button));
        this.cursor = null;
        this.recount();
      });
    }
    this.chart.addEventListener("pointermove", (event) => this.#point(event));
    this.chart.addEventListener("pointerleave", () => this.#show(null));
    this.chart.addEventListener("click", (event) => { this.#point(event); this.#choose(); });
    this.chart.addEventListener("blur", () => this.#show(null));
    this.chart.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10 }[event.key];
      if (step) {
        event.preventDefault();
        this.#show(Math.max(0, Math.min(BARS - 1, (this.cursor ?? BARS) + step)));
      } else if (event.key === "Enter") this.#choose();
    });
    new ResizeObserver(() => this.draw()).observe(this.chart);
    this.recolour();
  }

  get width() { return (this.minutes * 60_000) / BARS; }
  get now() { return this.frozenAt ?? Date.now(); }

  pause(on) {
    this.frozenAt = on ? Date.now() : null;
    this.draw();
  }

  /** Count anew: the filters, or the time shown, are others. */
  recount() {
    this.bins.clear();
    this.add(this.store.hits);
    this.draw();
  }

  add(rows) {
    const { width } = this;
    const oldest = Math.floor((Date.now() - 2 * this.minutes * 60_000) / width);
    let bin = -1, counts = null;
    for (const row of rows) {
      const place = Math.floor(row[TIME] / width);
      if (place !== bin) {
        bin = place;
        if (place < oldest) continue;
        counts = this.bins.get(place);
        if (!counts) this.bins.set(place, (counts = new Uint32Array(KINDS.length)));
      } else if (place < oldest) continue;
      counts[row[KIND]]++;
    }
    if (this.bins.size > 4 * BARS) for (const place of this.bins.keys()) if (place < oldest) this.bins.delete(place);
  }

  recolour() {
    const probe = el("i");
    this.chart.append(probe);
    const colour = (value) => {
      probe.style.color = value;
      return getComputedStyle(probe).color;
    };
    this.colours = KINDS.map((_, kind) => colour(`var(--kind-${kind})`));
    this.line = colour("var(--line)");
    this.faint = colour("var(--faint)");
    this.shade = colour("var(--line-soft)");
    probe.remove();
    this.draw();
  }

  #counts(bar) {
    return this.bins.get(Math.floor(this.now / this.width) - (BARS - 1 - bar));
  }

  draw() {
    const scale = devicePixelRatio || 1;
    const { clientWidth: width, clientHeight: height } = this.chart;
    if (!width) return;
    if (this.canvas.width !== Math.round(width * scale) || this.canvas.height !== Math.round(height * scale)) {
      this.canvas.width = Math.round(width * scale);
      this.canvas.height = Math.round(height * scale);
    }
    const pen = this.canvas.getContext("2d");
    pen.setTransform(scale, 0, 0, scale, 0, 0);
    pen.clearRect(0, 0, width, height);
    const floor = height - 17.5, top = 8;
    let most = 4, total = 0;
    for (let bar = 0; bar < BARS; bar++) {
      const sum = (this.#counts(bar) ?? []).reduce((a, b) => a + b, 0);
      total += sum;
      most = Math.max(most, sum);
    }
    pen.fillStyle = this.line;
    pen.fillRect(0, floor, width, 1);
    pen.fillStyle = this.faint;
    pen.font = `11px ${getComputedStyle(document.body).fontFamily}`;
    for (const [part, align] of [[0, "left"], [0.5, "center"], [1, "right"]]) {
      pen.textAlign = align;
      const minutes = this.minutes * (1 - part);
      pen.fillText(minutes === 0 ? "now" : minutes >= 60 ? `−${minutes / 60} h` : `−${minutes} min`, part * width, height - 3);
    }
    const step = width / BARS, body = Math.max(1, step - Math.min(2, step * 0.3));
    for (let bar = 0; bar < BARS; bar++) {
      const left = bar * step;
      if (bar === this.cursor) {
        pen.fillStyle = this.shade;
        pen.fillRect(left - (step - body) / 2, 0, step, floor);
      }
      const counts = this.#counts(bar);
      if (!counts) continue;
      let base = floor;
      const sum = counts.reduce((a, b) => a + b, 0);
      // The root: one event stays visible beside a hundred.
      const whole = Math.max(3, Math.sqrt(sum / most) * (floor - top));
      for (const kind of ORDER) {
        if (!counts[kind]) continue;
        const size = (counts[kind] / sum) * whole;
        pen.fillStyle = this.colours[kind];
        pen.fillRect(left, base - size, body, size);
        base -= size;
      }
    }
    if (this.cursor === null) this.chart.setAttribute("aria-valuetext", `${plural(total, "event")} in the last ${this.minutes >= 60 ? plural(this.minutes / 60, "hour") : plural(this.minutes, "minute")}`);
  }

  #point(event) {
    const box = this.chart.getBoundingClientRect();
    this.#show(Math.max(0, Math.min(BARS - 1, Math.floor(((event.clientX - box.left) / box.width) * BARS))));
  }

  #span(bar) {
    const start = (Math.floor(this.now / this.width) - (BARS - 1 - bar)) * this.width;
    return [start, start + this.width];
  }

  #show(bar) {
    this.cursor = bar;
    this.tip.hidden = bar === null;
    if (bar !== null) {
      const counts = this.#counts(bar) ?? new Uint32Array(KINDS.length);
      const sum = counts.reduce((a, b) => a + b, 0);
      const parts = [...counts.keys()].filter((kind) => counts[kind]).sort((a, b) => counts[b] - counts[a]).slice(0, 3).map((kind) => `${counts[kind]} ${KINDS[kind]}`);
      const time = timeOfDay(this.#span(bar)[0]);
      this.tip.replaceChildren(el("b", {}, time), ` ${sum ? parts.join(", ") : "nothing"}`);
      const box = this.chart.clientWidth, own = this.tip.offsetWidth;
      this.tip.style.transform = `translateX(${Math.max(0, Math.min(box - own, ((bar + 0.5) / BARS) * box - own / 2))}px)`;
      this.chart.setAttribute("aria-valuenow", String(bar));
      this.chart.setAttribute("aria-valuetext", `${time}: ${plural(sum, "event")}${parts.length ? `: ${parts.join(", ")}` : ""}`);
    }
    this.draw();
  }

  #choose() {
    if (this.cursor !== null) this.jump(...this.#span(this.cursor));
  }
}

/** A small curve of counts, to be drawn into an svg element of a card. */
export function spark(element, counts) {
  const most = Math.max(3, ...counts);
  const points = counts.map((count, index) => `${((index / (counts.length - 1)) * 100).toFixed(1)},${(19 - (count / most) * 17).toFixed(1)}`);
  element.setAttribute("viewBox", "0 0 100 20");
  element.setAttribute("preserveAspectRatio", "none");
  if (!element.firstChild) element.append(svg("path"));
  element.firstChild.setAttribute("d", `M0,20 L${points.join(" L")} L100,20`);
}
