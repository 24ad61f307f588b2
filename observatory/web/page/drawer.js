// One event, opened: who sent it, what the kernel proves, what the sender claims, and the whole of it.

import { $, el, svg } from "./dom.js";
import { copyButton, resumeCommand } from "./resume.js";
import { EVENT, KIND, PLACE, SESSION, TIME } from "./store.js";
import { ask, AnswerError } from "./stream.js";
import { ago, dateAndTime, number } from "./words.js";

const LONGEST = 200_000;
const SEAL = "M12 3l7 2.6v5.6c0 4.4-2.9 8-7 9.8-4.1-1.8-7-5.4-7-9.8V5.6zM8.8 12.1l2.3 2.3 4.3-4.6";
const SPEECH = "M4 5h16v11H9.5L5 20v-4H4z";
const RELAY = "M4 12h12M12 7l5 5-5 5M20 5v14";
const CLAIMS = [
  ["session_id", "session"], ["cwd", "directory"], ["tool_name", "tool"], ["permission_mode", "permission mode"],
  ["transcript_path", "transcript"], ["source", "source"], ["reason", "reason"], ["agent_type", "agent"],
];

export class Drawer {
  /** `talk(row)` shows a row's session as a conversation. */
  constructor(closed, talk) {
    this.element = $("drawer");
    this.closed = closed;
    this.talk = talk;
    this.place = null;
  }

  get isOpen() { return !this.element.hidden; }

  async open(row) {
    const opening = !this.isOpen;
    this.place = row[PLACE];
    this.element.hidden = false;
    const body = el("div.body", { tabindex: "0", role: "region", "aria-label": "Details" }, el("p.none", { role: "status" }, "Reading…"));
    const close = el("button", { type: "button", "aria-label": "Close", title: "Close (Esc)" }, "✕");
    close.addEventListener("click", () => this.close());
    const when = `${dateAndTime(row[TIME])} · ${ago(row[TIME], Date.now())}`;
    this.element.replaceChildren(
      el("header", {}, el("div", {}, el(`h2.k${row[KIND]}`, { id: "drawer-title" }, el("i.dot", { "aria-hidden": "true" }), row[EVENT] || "(no name)"), el("p", {}, when)), close), body);
    if (opening) close.focus({ preventScroll: true });
    try {
      const { text, names } = await ask(`events/${row[PLACE]}`);
      if (this.place === row[PLACE]) body.replaceChildren(...this.#contents(row, text, names));
    } catch (error) {
      if (!(error instanceof AnswerError)) throw error;
      if (this.place === row[PLACE]) body.replaceChildren(el("p.none", { role: "alert" }, error.message));
    }
  }

  #contents(row, text, names) {
    const event = JSON.parse(text);
    return [event._host === undefined ? null : told(event), proved(event, names), claimed(event), this.#session(row, event), whole(text)].filter(Boolean);
  }

  /** From an event to its session: as a conversation, and in a terminal. */
  #session(row, event) {
    if (!row[SESSION]) return null;
    const open = el("button", { type: "button" }, "Conversation");
    open.addEventListener("click", () => this.talk(row));
    const command = resumeCommand(event.session_id, event.cwd, event.transcript_path);
    return el("section.go", { "aria-label": "Its session" }, open, ...(command ? [el("code", {}, command), copyButton("Copy the command", command)] : []));
  }

  close() {
    if (!this.isOpen) return;
    this.element.hidden = true;
    this.place = null;
    this.closed();
  }
}

const icon = (path) => svg("svg", { viewBox: "0 0 24 24", "aria-hidden": "true" }, svg("path", { d: path }));

function node(title, detail, extra = "") {
  return el("li", {}, el(`span.node${extra}`, {}, el("b", {}, title), el("small", {}, detail)));
}

/** The first step of an event from another machine: who brought it here. */
function told(event) {
  return el("section.trust.told", { "aria-label": "Authenticated by NATS" },
    el("h3", {}, icon(RELAY), `Brought by ${event._host}`),
    el("p", {}, "NATS lets only this host’s account publish under its name. What follows is what this host says that its kernel said."));
}

/** What the kernel knows: it is drawn as the way from the person to the server. */
function proved(event, names) {
  const uid = event._peer_uid, pid = event._peer_pid, gid = event._peer_gid, groups = event._peer_groups;
  const user = uid === null || uid === undefined ? node("unknown user", "the kernel can’t translate the uid", ".unknown") : node(names.user ?? `uid ${uid}`, `uid ${uid}`);
  const chain = [user];
  const process = event._peer_process;
  for (const ancestor of [...(process?.ancestors ?? [])].reverse()) chain.push(node(ancestor.comm, `pid ${ancestor.pid}`));
  if (process) chain.push(node(process.comm, `pid ${process.pid}`));
  else chain.push(pid === null || pid === undefined ? node("process", "pid unknown", ".unknown") : node("process", `pid ${pid}`));
  chain.push(node("server", "Unix socket", ".end"));
  const facts = el("dl.facts");
  if (gid !== null && gid !== undefined) facts.append(el("dt", {}, "group"), el("dd", {}, named(gid, names)));
  if (Array.isArray(groups)) {
    facts.append(el("dt", {}, "also in"), groups.length ? el("dd.chips", {}, ...groups.slice(0, 40).map((group) => el("span.chip", {}, named(group, names))), groups.length > 40 ? `and ${number(groups.length - 40)} more` : null) : el("dd", {}, "no other group"));
  }
  facts.append(el("dt", {}, "received"), el("dd", {}, `${event._ts} as event ${event._id}`));
  return el("section.trust.proved", { "aria-label": "Verified by the kernel" },
    el("h3", {}, icon(SEAL), "Verified by the kernel"),
    el("p", {}, "Who opened the connection, with its effective ids. No client can choose these."),
    el("ol.chain", { "aria-label": "From the user to the server" }, ...chain), facts,
    process ? el("p", {}, "Which processes they are is proved; the names are those that they gave themselves.") : null);
}

const named = (gid, names) => (names.groups[gid] && names.groups[gid] !== String(gid) ? `${names.groups[gid]} (${gid})` : `gid ${gid}`);

function claimed(event) {
  const facts = el("dl.facts");
  for (const [key, word] of CLAIMS) {
    const value = event[key];
    if (typeof value === "string" && value) facts.append(el("dt", {}, word), el("dd", {}, value.slice(0, 400)));
  }
  return el("section.trust.claimed", { "aria-label": "Claimed by the sender" },
    el("h3", {}, icon(SPEECH), "Claimed by the sender"),
    el("p", {}, facts.childElementCount ? "Everything else in the event is the sender’s own word." : "The event says nothing of its session; all it says is its sender’s own word."), facts.childElementCount ? facts : null);
}

function whole(text) {
  const copy = copyButton("Copy", text);
  const pre = el("pre", { tabindex: "0", "aria-label": "The event as JSON" });
  colour(pre, text.slice(0, LONGEST));
  return el("section.whole", {}, el("header", {}, el("h3", {}, "The whole event"), copy), pre,
    text.length > LONGEST ? el("p", {}, `${number(text.length - LONGEST)} more characters are not shown; Copy has them.`) : null);
}

/** JSON in colours: the server's own fields, which begin with _, stand out. */
function colour(pre, text) {
  const token = /("(?:[^"\\]|\\.)*")(\s*:)?|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|\b(?:true|false|null)\b/g;
  let last = 0;
  for (let match = token.exec(text); match; match = token.exec(text)) {
    if (match.index > last) pre.append(text.slice(last, match.index));
    const [all, string, colon] = match;
    const kind = colon ? (string.startsWith('"_') ? "own" : "key") : string ? "string" : /^[-\d]/.test(all) ? "number" : "word";
    pre.append(el(`span.${kind}`, {}, string ?? all));
    if (colon) pre.append(colon);
    last = match.index + all.length;
  }
  pre.append(text.slice(last));
}
