"""One message for all that there is to tell at a time. Everything in it was said by others, and is made harmless."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from observatory.text import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from observatory.notify.occasions import Kind, Occasion

LINES: Final = 5
"""So many occasions are told one by one."""
LONGEST: Final = 200
"""Characters of a line."""
_TITLES: Final[dict[Kind, str]] = {
    "waits": "waits for you",
    "finished": "has finished",
    "failed": "has failed",
    "tool-failed": "a tool has failed",
    "ended": "has ended",
    "died": "has died",
}
_URGENT: Final = frozenset({"waits", "failed", "died"})


@dataclass(frozen=True, slots=True)
class Message:
    """A title of one line, a text of a few, and what they tell. `urgent`: somebody should look now."""

    title: str
    text: str
    urgent: bool
    occasions: tuple[Occasion, ...]

    def document(self) -> dict[str, object]:
        """The same for programs."""
        return {
            "title": self.title,
            "text": self.text,
            "urgent": self.urgent,
            "occasions": [
                {
                    "kind": occasion.kind,
                    "host": occasion.session[0],
                    "uid": occasion.session[1],
                    "user": occasion.user,
                    "session_id": occasion.session[2],
                    "project": occasion.project,
                    "what": occasion.what,
                    "time": datetime.fromtimestamp(occasion.time / 1000, UTC).isoformat(timespec="milliseconds"),
                }
                for occasion in self.occasions
            ],
        }


def compose(occasions: Sequence[Occasion]) -> Message:
    """The message that tells these, at least one."""
    kinds: Counter[Kind] = Counter(occasion.kind for occasion in occasions)
    if len(occasions) == 1:
        title = f"{_name(occasions[0])} {_TITLES[occasions[0].kind]}"
    else:
        title = ", ".join(f"{number} \u00d7 {_TITLES[kind]}" for kind, number in kinds.items())
    lines = [_line(occasion, alone=len(occasions) == 1) for occasion in occasions[:LINES]]
    if len(occasions) > LINES:
        lines.append(f"and {len(occasions) - LINES} more")
    text = "\n".join(printable(line)[:LONGEST] for line in lines if line)
    return Message(printable(title)[:LONGEST], text, not _URGENT.isdisjoint(kinds), tuple(occasions))


def _name(occasion: Occasion) -> str:
    """A session as a person knows it: the last part of its directory, and the beginning of its id."""
    place = occasion.project.rstrip("/").rpartition("/")[2]
    name = f"{place} ({occasion.session[2][:8]})" if place else f"session {occasion.session[2][:8]}"
    return name if occasion.session[0] is None else f"{name} on {occasion.session[0]}"


def _line(occasion: Occasion, *, alone: bool) -> str:
    if alone:
        return f"{occasion.user}: {occasion.what}" if occasion.what else occasion.user
    words = f"{_name(occasion)}, {occasion.user}, {_TITLES[occasion.kind]}"
    return f"{words}: {occasion.what}" if occasion.what else words
