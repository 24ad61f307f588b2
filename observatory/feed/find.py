"""What a person writes into a find field: words, and names with values, in the language of `observatory events`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from observatory.client.query import KNOWN, instant, unknown

if TYPE_CHECKING:
    from datetime import datetime

    from observatory.feed.row import Row

NAMES: Final = ("event", "tool", "session", "user", "host")
"""What can be asked for by name, as in `tool=Bash`."""
TIMES: Final = ("since", "until")


@dataclass(frozen=True, slots=True)
class Filter:
    """Which rows match.

    `wanted` gives beginnings of fields by the fields' names, one of which each field must have; `words` is a text
    that the line must contain. `since` and `until` are milliseconds since the epoch. `trouble` says what nobody can
    have meant.
    """

    wanted: tuple[tuple[str, tuple[str, ...]], ...] = ()
    words: str = ""
    since: int | None = None
    until: int | None = None
    trouble: str | None = None

    def __bool__(self) -> bool:
        return bool(self.wanted or self.words or self.since is not None or self.until is not None)

    def matches(self, row: Row) -> bool:
        """Whether a row does."""
        if (self.since is not None and row.time < self.since) or (self.until is not None and row.time >= self.until):
            return False
        for name, starts in self.wanted:
            if not str(getattr(row, name) or "").lower().startswith(starts):
                return False
        return not self.words or any(
            self.words in text.lower() for text in (row.what, row.event, row.tool, row.project, row.session, row.user)
        )


def read_filter(text: str, now: datetime) -> Filter:
    """A filter as a person writes it: `tool=Bash tool=Edit since=1h npm test`. Every text is one.

    Case does not count, and beginnings will do. Times are meant from `now` on, and in its time zone.
    """
    wanted: dict[str, list[str]] = {}
    words: list[str] = []
    times: dict[str, int] = {}
    trouble: str | None = None
    for word in text.lower().split():
        name, sign, value = word.partition("=")
        if not sign or name not in (*NAMES, *TIMES):
            words.append(word)
        elif not value:
            continue
        elif name in NAMES:
            wanted.setdefault(name, []).append(value)
            if name in KNOWN and not (value.startswith("mcp_") or _begins_one(value, KNOWN[name])):
                trouble = unknown(name, value)
        else:
            try:
                times[name] = int(instant(value, now).timestamp() * 1000)
            except ValueError as error:
                trouble = str(error)
    fields = tuple((name, tuple(values)) for name, values in wanted.items())
    return Filter(fields, " ".join(words), times.get("since"), times.get("until"), trouble)


def _begins_one(value: str, names: tuple[str, ...]) -> bool:
    return any(name.lower().startswith(value) for name in names)
