// A session as a conversation: turns, agents, tools and words, beside them who the kernel says it was; and its replay.

import { $, el, say } from "./dom.js";
import { copyButton, resumeCommand } from "./resume.js";
import { ask, AnswerError } from "./stream.js";
import { dateAndTime, number, plural, timeOfDay, took } from "./words.js";

/** Milliseconds between two steps of a replay, at most: hours of silence are no film. */
const LONGEST = 1200, SHORTEST = 60, SPEED = 10;
/** Milliseconds for which steps are built at a time. */
const BIT = 10;
const WORDS = { turn: "Prompt", words: "Says", wait: "Asks", note: "", agent: "Agent", tool: "" };

export class Conversation {
  constructor() {
    this.dialog = $("conversation");
    this.dialog.addEventListener("close", () => { clearTimeout(this.building); this.#stop(); });
    this.playing = null;
  }

  /** Open a session's; `who` is its host, uid and id, and `at` the place of the event to show it up to. */
  async open(who, at = null) {
    this.who = who;
    clearTimeout(this.building);
    this.#stop();
    const close = el("button.round", { type: "button", "aria-label": "Close", title: "Close (Esc)" }, "✕");
    close.addEventListener("click", () => this.dialog.close());
    this.body = el("div.talk", { tabindex: "0", role: "region", "aria-label": "Conversation" }, el("p.none", { role: "status" }, "Reading…"));
    this.head = el("div");
    this.dialog.replaceChildren(el("div.top", {}, el("h2", { id: "conversation-title" }, `Session ${who.session.slice(0, 8)}`), close), this.head, this.body);
    if (!this.dialog.open) this.dialog.showModal();
    try {
      const query = { session: who.session };
      if (who.host !== null && who.host !== undefined) query.host = who.host;
      if (who.uid !== null && who.uid !== undefined) query.uid = who.uid;
      const told = await ask("conversation", query);
      if (this.who === who) this.#show(told, at);
    } catch (error) {
      if (!(error instanceof AnswerError)) throw error;
      if (this.who === who) this.body.replaceChildren(el("p.none", { role: "alert" }, error.message));
    }
  }

  #show({ told, user, cut }, at) {
    const command = resumeCommand(told.session, told.project, told.transcript);
    this.events = told.events;
    this.items = [];
    const proved = el("p.proved", {}, el("b", {}, "The kernel says: "), `${user}${told.process.length ? `, by ${told.process.join(" ← ")}` : ""}`);
    const facts = el("div.about", {}, el("p", {}, told.project || "no directory", ` · ${plural(told.events.length, "event")}`, cut ? ` · older ones are left out` : ""), proved);
    if (command) facts.append(el("p.resume", {}, el("code", {}, command), copyButton("Copy", command)));
    this.slider = el("input", { type: "range", min: "0", max: String(Math.max(0, told.events.length - 1)), step: "1", "aria-label": "Replay" });
    this.clock = el("output");
    this.play = el("button", { type: "button", "aria-pressed": "false" }, "Replay");
    this.play.addEventListener("click", () => (this.playing === null ? this.#start() : this.#stop()));
    this.slider.addEventListener("input", () => { this.#stop(); this.#until(Number(this.slider.value)); });
    this.head.replaceChildren(facts, el("div.replay", {}, this.play, this.slider, this.clock));
    const list = el("ul.steps");
    this.body.replaceChildren(told.steps.length ? list : el("p.none", {}, "Nothing that is told here."));
    const last = told.events.length - 1;
    const index = at === null ? last : Math.max(0, told.events.findLastIndex(([place]) => place <= at));
    this.#until(index);
    this.#build(this.#fill(list, told.steps));
    this.play.focus({ preventScroll: true });
  }

  /** Build what there is of a long session bit by bit: whoever presses a key meanwhile does not wait. */
  #build(filling) {
    const until = performance.now() + BIT;
    while (performance.now() < until) {
      if (filling.next().done) {
        this.#until(Number(this.slider.value));
        return;
      }
    }
    this.building = setTimeout(() => this.#build(filling));
  }

  *#fill(list, steps) {
    for (const step of steps) {
      const { item, inner } = this.#item(step);
      list.append(item);
      yield;
      if (inner) yield* this.#fill(inner, step.steps);
    }
  }

  #item(step) {
    const result = step.result ? el("details", {}, el("summary", {}, step.failed ? "Why" : "Result"), el("pre", { tabindex: "0" }, step.result)) : null;
    const parts = {
      who: el("span.who", { title: "by the kernel: who sent the event" }, step.uid === null ? "uid unknown" : `uid ${step.uid}`, step.pid === null ? "" : ` · pid ${step.pid}`),
      took: el("span.took"),
    };
    const title = step.kind === "agent" || step.kind === "tool" || step.kind === "note" || step.kind === "wait" ? step.name : "";
    const head = el("div.head", {}, el("time", {}, timeOfDay(step.time)), el("b", {}, [WORDS[step.kind], title].filter(Boolean).join(" ")), parts.took, parts.who);
    const item = el(`li.step.${step.kind}`, {}, head, step.text ? el("p.text", {}, step.text) : null, result);
    let inner = null;
    if (step.steps.length) {
      inner = el("ul.steps");
      item.append(step.kind === "agent" ? el("details", { open: true }, el("summary", {}, plural(step.steps.length, "step")), inner) : inner);
    }
    const entry = { step, item, result, took: parts.took };
    this.items.push(entry);
    this.#at(entry);
    return { item, inner };
  }

  /** Show what had happened when that event came. */
  #until(index) {
    const [place, time] = this.events[index] ?? [Infinity, 0];
    this.place = place;
    this.slider.value = String(index);
    const words = `${dateAndTime(time)}, event ${number(index + 1)} of ${number(this.events.length)}`;
    this.slider.setAttribute("aria-valuetext", words);
    say(this.clock, words);
    this.now?.classList.remove("now");
    let newest = null;
    for (const entry of this.items) {
      this.#at(entry);
      if (!entry.hidden && (newest === null || entry.step.place >= newest.step.place)) newest = entry;
    }
    this.now = newest?.item;
    newest?.item.classList.add("now");
    newest?.item.scrollIntoView({ block: "nearest" });
  }

  /** Show a step as far as it had come when that event came. */
  #at(entry) {
    const { step, item } = entry;
    const hidden = step.place > this.place, over = step.ended !== null && step.ended <= this.place;
    if (hidden === entry.hidden && over === entry.over) return;
    entry.hidden = hidden;
    entry.over = over;
    item.hidden = hidden;
    item.classList.toggle("failed", step.failed && over);
    item.classList.toggle("open", !over && ["tool", "agent", "turn", "wait"].includes(step.kind));
    if (entry.result) entry.result.hidden = !over;
    say(entry.took, over ? took(step.took) : "");
  }

  #start() {
    const last = this.events.length - 1;
    this.play.setAttribute("aria-pressed", "true");
    say(this.play, "Stop");
    let index = Number(this.slider.value) >= last ? 0 : Number(this.slider.value);
    const step = () => {
      this.#until(index);
      if (index >= last) return this.#stop();
      const wait = (this.events[index + 1][1] - this.events[index][1]) / SPEED;
      index += 1;
      this.playing = setTimeout(step, Math.min(LONGEST, Math.max(SHORTEST, wait)));
    };
    step();
  }

  #stop() {
    clearTimeout(this.playing);
    this.playing = null;
    if (!this.play) return;
    this.play.setAttribute("aria-pressed", "false");
    say(this.play, "Replay");
  }
}
