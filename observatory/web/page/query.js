// What a person writes into the find field: words, and names with values, in the language of `observatory events`.

export const NAMES = ["event", "tool", "session", "user", "host"];
const UNITS = { s: 1e3, m: 60e3, h: 3600e3, d: 86400e3, w: 7 * 86400e3 };
const EXAMPLES = "1h, today, 2026-01-31 or 2026-01-31T13:00+01:00";

/** The time that is meant, in milliseconds; null for what is none. Without an offset it is local. */
export function instant(text, now) {
  const ago = /^([0-9]{1,9})([smhdw])$/.exec(text);
  if (ago) return now - Number(ago[1]) * UNITS[ago[2]];
  if (text === "today" || text === "yesterday") {
    const day = new Date(now);
    return new Date(day.getFullYear(), day.getMonth(), day.getDate() - (text === "yesterday")).getTime();
  }
  if (!/^\d{4}-\d{2}-\d{2}(t\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?(z|[+-]\d{2}:\d{2})?)?$/.test(text)) return null;
  // A date alone is UTC to Date, where with a time of day it is local.
  const time = new Date((text.length === 10 ? `${text}T00:00` : text).toUpperCase()).getTime();
  return Number.isNaN(time) ? null : time;
}

/** `{ wanted, since, until, words, trouble }`: beginnings of fields by their names, times, and the text that is left. */
export function readQuery(text, now) {
  const query = { wanted: {}, since: null, until: null, words: "", trouble: "" };
  const words = [];
  for (const word of text.trim().toLowerCase().split(/\s+/)) {
    const sign = word.indexOf("=");
    const name = word.slice(0, Math.max(0, sign)), value = word.slice(sign + 1);
    if (NAMES.includes(name)) {
      if (value) (query.wanted[name] ??= []).push(value);
    } else if (name === "since" || name === "until") {
      if (!value) continue;
      query[name] = instant(value, now);
      if (query[name] === null) query.trouble = `“${value}” is no time such as ${EXAMPLES}.`;
    } else words.push(word);
  }
  query.words = words.join(" ");
  return query;
}
