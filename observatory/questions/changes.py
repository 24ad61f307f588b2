"""Which files an agent's tools have changed, and how."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

EVENT: Final = "PostToolUse"
TOOLS: Final = ("Edit", "MultiEdit", "NotebookEdit", "Write")
"""The tools of which this is known."""
_MOST: Final = 20_000
"""Characters of a text up to which lines are compared where the client has not said how they differ."""


@dataclass(frozen=True, slots=True)
class Change:
    """One change of one file. `lines` are those of a unified diff, without its first two."""

    path: str
    lines: tuple[str, ...]

    @property
    def added(self) -> int:
        """Lines that are new."""
        return sum(line.startswith("+") for line in self.lines)

    @property
    def removed(self) -> int:
        """Lines that are gone."""
        return sum(line.startswith("-") for line in self.lines)


def change(event: Mapping[str, Any]) -> Change | None:
    """What an event tells of a changed file; `None` if it tells of none. Takes every event."""
    given, done = event.get("tool_input"), event.get("tool_response")
    if event.get("_event") != EVENT or event.get("tool_name") not in TOOLS or not isinstance(given, dict):
        return None
    path = given.get("file_path") or given.get("notebook_path")
    if not isinstance(path, str):
        return None
    lines = _patch(done.get("structuredPatch")) if isinstance(done, dict) else ()
    return Change(path, lines or tuple(_compared(given)))


def _patch(hunks: object) -> tuple[str, ...]:
    """The client's own account: the lines of each piece, with a sign before each."""
    lines: list[str] = []
    for hunk in hunks if isinstance(hunks, list) else ():
        if not isinstance(hunk, dict) or not isinstance(said := hunk.get("lines"), list):
            continue
        old, new = (f"{hunk.get(f'{side}Start')},{hunk.get(f'{side}Lines')}" for side in ("old", "new"))
        lines.append(f"@@ -{old} +{new} @@")
        lines += (line for line in said if isinstance(line, str))
    return tuple(lines)


def _compared(given: Mapping[str, Any]) -> Iterator[str]:
    """What was asked for, where the client has not said what came of it."""
    edits = given.get("edits")
    for each in edits if isinstance(edits, list) else [given]:
        if not isinstance(each, dict):
            continue
        old = each.get("old_string") or ""
        new = next((text for name in ("new_string", "new_source", "content") if (text := each.get(name))), "")
        if not isinstance(old, str) or not isinstance(new, str) or not (old or new):
            continue
        before, after = old.splitlines(), new.splitlines()
        if len(old) + len(new) > _MOST:
            yield from (f"-{line}" for line in before)
            yield from (f"+{line}" for line in after)
        else:
            yield from list(difflib.unified_diff(before, after, lineterm="", n=3))[2:]
