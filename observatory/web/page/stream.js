// The way to the server: the key that the link brought, questions, and the stream of what comes.

const KEY = "observatory-key";

/** The key from the link, kept for this page's origin (which includes the port), and out of the address bar. */
function takeKey() {
  const found = /^#key=([\w-]+)$/.exec(location.hash);
  if (found) {
    localStorage.setItem(KEY, found[1]);
    history.replaceState(null, "", "/");
  }
  return localStorage.getItem(KEY) ?? "";
}

const key = takeKey();

export class AnswerError extends Error {}

/** Ask for data; an object. Throws AnswerError with a sentence for a person. */
export async function ask(path, parameters = {}) {
  const query = new URLSearchParams(parameters);
  let response;
  try {
    response = await fetch(`/api/${path}?${query}`, { headers: { "X-Observatory-Key": key } });
  } catch {
    throw new AnswerError("The web command can’t be reached.");
  }
  if (!response.ok) throw new AnswerError((await response.text()).trim());
  return response.json();
}

/**
 * Follow the stream from a place on. `on` has hello(data), batch(data) and lost().
 *
 * A stream that was lost is not taken up again by itself: it ends when the web command ends, and then its port is free
 * for anybody on the machine, who is not to be asked for anything.
 */
export function follow(place, on) {
  const source = new EventSource(`/api/stream?${new URLSearchParams({ after: place, key })}`);
  source.addEventListener("hello", (message) => on.hello(JSON.parse(message.data)));
  source.addEventListener("batch", (message) => on.batch(JSON.parse(message.data)));
  source.addEventListener("error", () => {
    source.close();
    on.lost();
  });
}
