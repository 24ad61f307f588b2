// How a person goes on with a session: the command for a terminal, and copying it.

import { el } from "./dom.js";

const ID = /^[0-9A-Za-z][0-9A-Za-z_-]{0,99}$/;

/** The command that goes on with a session; null where there is none. A session's id and directory are its sender's word:
 * nothing of them is offered that a shell would take for more than a word. */
export function resumeCommand(session, directory, transcript) {
  if (!ID.test(session ?? "") || transcript?.includes("/.gemini/")) return null;
  const command = transcript?.includes("/.codex/") ? `codex resume ${session}` : `claude --resume ${session}`;
  if (!directory?.startsWith("/") || /[\p{C}\p{Zl}\p{Zp}]/u.test(directory)) return command;
  return `cd '${directory.replaceAll("'", "'\\''")}' && ${command}`;
}

/** A button that copies a text. */
export function copyButton(label, text) {
  const button = el("button.copy", { type: "button" }, label);
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = "Copied";
    } catch {
      button.textContent = "The browser doesn’t let me";
    }
    setTimeout(() => (button.textContent = label), 2000);
  });
  return button;
}
