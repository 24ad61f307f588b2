// What a person writes into the find field: words, and names with values, in the language of `observatory events`.

export const NAMES = ["event", "tool", "session", "user", "host"];
const UNITS = { s: 1e3, m: 60e3, h: 3600e3, d: 86400e3, w: 7 * 86400e3 };
const EXAMPLES = "1h, today, yesterday, 2026-01-31 or 2026-01-31T13:00+01:00";

/** The time that is meant, in milliseconds; null for what is none. Without an offset it is local, or UTC. */
export function instant(text, now, utc) {
  const ago = /^([0-9]{1,9})([smhdw])$/.exec(text);
  if (ago) return now - Number(ago[1]) * UNITS[ago[2]];
  if (text === "today" || text === "yesterday") {
    const day = new Date(now), before = text === "yesterday";
    return utc
      ? Date.UTC(day.getUTCFullYear(), day.getUTCMonth(), day.getUTCDate() - before)
      : new Date(day.getFullYear(), day.getMonth(), day.getDate() - before).getTime();
  }
  const date = /^(\d{4})-(\d{2})-(\d{2})(t([01]\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d{1,6})?)?(z|[+-]\d{2}:\d{2})?)?$/.exec(text);
  // Date takes the 31st of each month.
  if (!date || new Date(Date.UTC(date[1], date[2] - 1, date[3])).getUTCDate() !== Number(date[3])) return null;
  // A date alone is UTC to Date, where with a time of day it is local.
  const whole = (text.length === 10 ? `${text}T00:00` : text) + (utc && !date[8] ? "Z" : "");
  const time = new Date(whole.toUpperCase()).getTime();
  return Number.isNaN(time) ? null : time;
}

/** How many letters have to be changed, left out or put in to make one text of the other. */
function distance(one, other) {
  let row = Array.from({ length: other.length + 1 }, (_, index) => index);
  for (let i = 1; i <= one.length; i++) {
    const next = [i];
    for (let j = 1; j <= other.length; j++) next[j] = Math.min(row[j] + 1, next[j - 1] + 1, row[j - 1] + (one[i - 1] !== other[j - 1]));
    row = next;
  }
  return row[other.length];
}

/** What to say of a name that is not known; nothing of one that may be. */
function unknown(kind, name, names) {
  if (!names || name.startsWith("mcp_") || names.some((each) => each.toLowerCase().startsWith(name))) return "";
  const [near] = names.map((each) => [distance(name, each.toLowerCase()), each]).filter(([far]) => far <= name.length / 2).sort(([a], [b]) => a - b);
  return `No ${kind} “${name}” is known, and none was recorded${near ? `; did you mean ${near[1]}?` : "."}`;
}

/** `{ wanted, since, until, words, trouble }`: beginnings of fields by their names, times, and the text that is left.
 *
 * `known` are names of events and of tools that are known before they are recorded. `trouble` says what nobody can have
 * meant; no row is of a time that is none. */
export function readQuery(text, now, known, utc) {
  const query = { wanted: {}, since: null, until: null, words: "", trouble: "" };
  const words = [];
  for (const word of text.trim().toLowerCase().split(/\s+/)) {
    const sign = word.indexOf("=");
    const name = word.slice(0, Math.max(0, sign)), value = word.slice(sign + 1);
    if (NAMES.includes(name)) {
      if (!value) continue;
      (query.wanted[name] ??= []).push(value);
      query.trouble ||= unknown(name, value, known[name]);
    } else if (name === "since" || name === "until") {
      if (!value) continue;
      query[name] = instant(value, now, utc);
      if (query[name] !== null) continue;
      query[name] = name === "since" ? Infinity : -Infinity;
      query.trouble ||= `“${value}” is not a time such as ${EXAMPLES}.`;
    } else words.push(word);
  }
  query.words = words.join(" ");
  if (query.since !== null && query.until !== null && query.since >= query.until) query.trouble ||= "until= is not after since=.";
  return query;
}
