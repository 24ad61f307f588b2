"""What a person writes into a find field: words, and names with values, in the language of `observatory events`."""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from typing import TYPE_CHECKING, Final

from observatory.client.query import KNOWN, instant, unknown

if TYPE_CHECKING:
    from collections.abc import Callable, Container

    from observatory.feed.row import Row

NAMES: Final = ("event", "tool", "session", "user", "host")
"""What can be asked for by name, as in `tool=Bash`."""
NEVER: Final = {"since": 1 << 62, "until": 0}
"""Times that can be asked for, and what stands for one that nobody can have meant: no row is of it."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Filter:
    """Which rows match.

    `wanted` gives beginnings of fields by the fields' names, one of which each field must have; `words` is a text
    that the line must contain. `since` and `until` are milliseconds since the epoch. `trouble` says what nobody can
    have meant: times of which there can't be a row, or a name that is not known before it is recorded.
    """

    wanted: tuple[tuple[str, tuple[str, ...]], ...] = ()
    words: str = ""
    since: int | None = None
    until: int | None = None
    trouble: str | None = None

    @property
    def is_impossible(self) -> bool:
        """Whether no row can match its times."""
        since = NEVER["until"] if self.since is None else self.since
        until = NEVER["since"] if self.until is None else self.until
        return since >= until

    def __bool__(self) -> bool:
        return bool(self.wanted or self.words or self.since is not None or self.until is not None)

    def matcher(self, found: Container[int] = ()) -> Callable[[Row], bool]:
        """Whether a row does, for many rows: what is looked at in one is remembered for those that say the same.

        `found` are the places of rows whose events have the words in them, where the rows themselves need not.
        """
        words, since, until = self.words, self.since, self.until
        starts = [(attrgetter(name), functools.cache(_beginning(values))) for name, values in self.wanted]
        has = functools.cache(lambda text: words in text.lower())

        def matches(row: Row) -> bool:
            if (since is not None and row.time < since) or (until is not None and row.time >= until):
                return False
            for value, begins in starts:
                if not begins(value(row)):
                    return False
            return (
                not words
                or words in row.what.lower()
                or has(row.event)
                or has(row.tool)
                or has(row.project)
                or has(row.session)
                or has(row.user)
                or row.place in found
            )

        return matches


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
        if not sign or name not in (*NAMES, *NEVER):
            words.append(word)
        elif not value:
            continue
        elif name in NAMES:
            wanted.setdefault(name, []).append(value)
            if name in KNOWN and not (value.startswith("mcp_") or _begins_one(value, KNOWN[name])):
                trouble = trouble or unknown(name, value)
        else:
            try:
                times[name] = (instant(value, now) - _EPOCH) // timedelta(milliseconds=1)
            except ValueError as error:
                times[name], trouble = NEVER[name], trouble or str(error)
    fields = tuple((name, tuple(values)) for name, values in wanted.items())
    found = Filter(fields, " ".join(words), times.get("since"), times.get("until"), trouble)
    return replace(found, trouble="until= is not after since=") if found.is_impossible and not trouble else found


def _beginning(starts: tuple[str, ...]) -> Callable[[object], bool]:
    return lambda value: str(value or "").lower().startswith(starts)


def _begins_one(value: str, names: tuple[str, ...]) -> bool:
    return any(name.lower().startswith(value) for name in names)
