// How times, numbers and states are put into words.

const grouped = new Intl.NumberFormat(undefined);

let clock, day, full, second, secondText;

/** Show times in UTC, or as this machine's clock has them. */
export function showUtc(on) {
  const format = (options) => new Intl.DateTimeFormat(undefined, { ...options, ...(on ? { timeZone: "UTC" } : {}) });
  const time = { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" };
  clock = format(time);
  day = format({ weekday: "short", day: "numeric", month: "short" });
  full = format({ year: "numeric", month: "short", day: "numeric", ...time, fractionalSecondDigits: 3, timeZoneName: "short" });
  second = -1;
}
showUtc(false);

/** A time of day to the second. Most events of a batch share one. */
export function timeOfDay(time) {
  const whole = Math.floor(time / 1000);
  if (whole !== second) {
    second = whole;
    secondText = clock.format(time);
  }
  return secondText;
}

export const milliseconds = (time) => "." + String(time % 1000).padStart(3, "0");
export const dayOf = (time) => day.format(time);
export const dateAndTime = (time) => full.format(time);
export const number = (value) => grouped.format(value);

/** How long, roughly: "now", "12 s", "3 min", "2 h", "5 d". */
export function span(milliseconds) {
  const seconds = Math.max(0, milliseconds / 1000);
  if (seconds < 1.5) return "now";
  if (seconds < 60) return `${Math.floor(seconds)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 86400) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86400)} d`;
}

/** A tool's duration, as `observatory events` prints it. */
export function took(milliseconds) {
  if (milliseconds === null) return "";
  if (milliseconds < 1000) return `${milliseconds}ms`;
  const seconds = milliseconds / 1000, whole = Math.round(seconds), minutes = Math.floor(whole / 60);
  if (seconds < 9.95) return `${seconds.toFixed(1)}s`;
  if (whole < 60) return `${whole}s`;
  const two = (value) => String(value).padStart(2, "0");
  return minutes < 60 ? `${minutes}m${two(whole % 60)}s` : `${Math.floor(minutes / 60)}h${two(minutes % 60)}m`;
}

export const ago = (time, now) => (now - time < 1500 ? "just now" : `${span(now - time)} ago`);
export const plural = (count, one, many = one + "s") => `${number(count)} ${count === 1 ? one : many}`;

export const KINDS = ["other", "prompts", "tools", "waiting", "turns", "sessions", "failures"];

/** A session's mood: what its state means to whom it belongs to. */
export function mood(state) {
  if (state.startsWith("waiting")) return "waiting";
  if (state === "working" || state === "running a tool") return "working";
  return { ended: "ended", dead: "dead" }[state] ?? "idle";
}

/** A session's state in a few words, and that nothing was heard for long. */
export function stateWords(card, now = Date.now()) {
  const parts = [words(card) + (card.agent ? ` (${card.agent})` : "")];
  if (card.state === "idle" && card.background) parts.push(`${number(card.background)} in the background`);
  if (!SETTLED.has(card.state) && now - card.last > SILENCE) parts.push(`no news for ${span(now - card.last)}`);
  return parts.join(", ");
}

/** States that stay until somebody does something: silence says nothing there. */
const SETTLED = new Set(["fresh", "idle", "ended", "dead"]);
/** Milliseconds after which the others are old news: the client says nothing at Esc. */
const SILENCE = 300_000;

function words(card) {
  switch (card.state) {
    case "running a tool": return `Running ${card.tool || "a tool"}`;
    case "waiting for permission": return card.tool ? `Asks to use ${card.tool}` : "Asks for permission";
    case "waiting for an answer": return card.question ? `Asks: ${card.question}` : "Waits for your answer";
    case "working": return "Thinking";
    case "fresh": return "Just started";
    case "idle": return "Idle";
    case "ended": return "Ended";
    case "dead": return card.pid ? `Died (process ${card.pid})` : "Died";
    default: return card.state;
  }
}

/** A path's last part, and what is before it. */
export function pathParts(path) {
  const whole = path.replace(/\/+$/, "");
  const cut = whole.lastIndexOf("/");
  return { base: whole.slice(cut + 1) || "/", parent: cut > 0 ? whole.slice(0, cut) : "" };
}
