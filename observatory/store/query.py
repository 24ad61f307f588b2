"""Which events are asked for: one filter of what is stored, which SQLite applies, and of what comes, which Python does.

Both are made of one `Query`. So a follower that reads what was stored and then what comes is shown
the same kind of event all the way.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from observatory.events import Event

    Parameters = Mapping[str, str | Sequence[str]]
    """Those of `/events`: a value, or several, by name."""

MOST_VALUES: Final = 100
"""Values of one field that may be asked for: SQLite before 3.32 takes 999 in a statement."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SURROGATES: Final = range(0xD800, 0xE000)
_AFTER_SURROGATES: Final = 0xE000


class Query(msgspec.Struct, frozen=True):
    """Which events are asked for; None and an empty tuple: any.

    Its first fields are fields of an event and columns of the database. The uid comes first: who may read one user's
    events only learns nothing of another's, not even by how long it takes. Then the one with the fewest events to a
    value. Several values of one field are alternatives, and each is there once.
    """

    uid: int | None = None
    session: tuple[str, ...] = ()
    tool: tuple[str, ...] = ()
    name: tuple[str, ...] = ()
    beginning: tuple[str, ...] = ()
    """What the session's id begins with, where it is not one of `session`."""
    since: int | None = None
    """Only events of this time and later, in microseconds since the epoch."""
    until: int | None = None
    """Only events before this time."""

    @classmethod
    def of(cls, parameters: Parameters, uid: int | None) -> Query:
        """What the parameters of `/events` ask for, of the events of this user. An empty one asks for nothing.

        Raises ValueError, with a sentence, for an invalid question.
        """
        session, tool, name, beginning = (every(parameters, key) for key in ("session", "tool", "event", "beginning"))
        since, until = (_microseconds(key, first(parameters, key)) for key in ("since", "until"))
        return cls(uid, session, tool, name, beginning, since, until)

    @property
    def conditions(self) -> tuple[tuple[str, tuple[str | int, ...]], ...]:
        """Fields, and which values each of them may have. Not with them: times and beginnings."""
        texts = (("session", () if self.beginning else self.session), ("tool", self.tool), ("name", self.name))
        found: list[tuple[str, tuple[str | int, ...]]] = [(field, values) for field, values in texts if values]
        return (("uid", (self.uid,)), *found) if self.uid is not None else tuple(found)

    def predicate(self) -> Callable[[Event], bool]:
        """Whether an event is one of those asked for."""
        conditions = [(attrgetter(field), frozenset(values)) for field, values in self.conditions]
        session, beginning = self.session, self.beginning
        since, until = self.since, self.until

        def matches(event: Event) -> bool:
            if any(value(event) not in wanted for value, wanted in conditions):
                return False
            if beginning and (
                event.session is None or not (event.session in session or event.session.startswith(beginning))
            ):
                return False
            return (since is None or event.time >= since) and (until is None or event.time < until)

        return matches

    def selection(self, *, lines: bool, lagging: bool) -> tuple[str, tuple[str | int, ...]]:
        """SQL for the ids, with `lines` also the lines, of events whose ids are in a range, in that order; its values.

        The ends of the range are its last two parameters, the first of which is not in it. `lagging` for ids that are
        not indexed yet.
        """
        table, sign = ("event", "") if lagging or self == Query() else ("facet", "+")
        columns = f"{table}.id, event.line" if lines else f"{table}.id"
        tables = "facet JOIN event ON event.id = facet.id" if lines and table == "facet" else table
        values: list[str | int] = []

        def numbered(wanted: Sequence[str | int]) -> list[str]:
            values.extend(wanted)
            return [f"?{number}" for number in range(len(values) - len(wanted) + 1, len(values) + 1)]

        # One index is used, that of the first column, or of a uid and a session. The sign takes the others out of the
        # choice of the planner, who knows nothing of how many events there are to a value.
        in_index = 2 if [column for column, _ in self.conditions[:2]] == ["uid", "session"] else 1
        where: list[str] = []
        alternatives: list[str] = []
        for place, (column, wanted) in enumerate(self.conditions):
            name = f"{sign if place >= in_index else ''}{table}.{column}"
            numbers = numbered(wanted)
            if place == in_index - 1 and table == "facet":
                alternatives = [f"{name} = {number}" for number in numbers]
            else:
                where.append(f"{name} {_one_of(numbers)}")
        if self.beginning:
            # Looked for among the ids of the range, a window of them at a time: an index would lead to all the events
            # of a long session each time.
            session = f"+{table}.session"
            either = [f"{session} {_one_of(numbered(self.session))}"] if self.session else []
            for text in self.beginning:
                beyond = _beyond(text)
                from_to = numbered([text] if beyond is None else [text, beyond])
                signs = zip((">=", "<"), from_to, strict=False)
                either.append(f"({' AND '.join(f'{session} {sign} {number}' for sign, number in signs)})")
            where.append(f"({' OR '.join(either)})")
        for comparison, time in ((">=", self.since), ("<", self.until)):
            if time is not None:
                where += [f"{table}.time {comparison} {number}" for number in numbered([time])]
        where += [f"{table}.id > ?{len(values) + 1}", f"{table}.id <= ?{len(values) + 2}"]
        # A statement for each value, which SQLite merges by the ids. It would sort what an index finds for several,
        # all of the range for each slice of it.
        arms = [[alternative, *where] for alternative in alternatives] or [where]
        sql = " UNION ALL ".join(f"SELECT {columns} FROM {tables} WHERE {' AND '.join(arm)}" for arm in arms)  # noqa: S608 - no values
        return f"{sql} ORDER BY 1", tuple(values)


def first(parameters: Parameters, name: str) -> str | None:
    """The first value of a parameter."""
    value = parameters.get(name)
    return value if value is None or isinstance(value, str) else value[0]


def every(parameters: Parameters, name: str) -> tuple[str, ...]:
    """All values of a parameter that are not empty, each once, in their order. Raises ValueError for too many."""
    value = parameters.get(name, ())
    found = tuple(dict.fromkeys(filter(None, (value,) if isinstance(value, str) else value)))
    if len(found) > MOST_VALUES:
        raise ValueError(f"The parameter {name}= may be given {MOST_VALUES} times at most.")
    return found


def _microseconds(name: str, text: str | None) -> int | None:
    if not text:
        return None
    try:
        time = datetime.fromisoformat(text)
        if time.tzinfo is None:
            raise ValueError
        return (time - _EPOCH) // timedelta(microseconds=1)
    except (ValueError, OverflowError):
        raise ValueError(
            f"The parameter {name}= takes a time with its offset from UTC, as RFC 3339 writes it: 2026-01-31T13:00:00Z."
        ) from None


def _one_of(numbers: Sequence[str]) -> str:
    return f"= {numbers[0]}" if len(numbers) == 1 else f"IN ({', '.join(numbers)})"


def _beyond(text: str) -> str | None:
    """The first text, in the order of code points (and of UTF-8), after all that begin with this one; None: none is."""
    while text:
        after = ord(text[-1]) + 1
        if after <= sys.maxunicode:
            return text[:-1] + chr(_AFTER_SURROGATES if after in _SURROGATES else after)
        text = text[:-1]
    return None
