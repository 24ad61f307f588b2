"""Which events are asked for: one filter of what is stored, which SQLite applies, and of what comes, which Python does.

Both are made of one table, `Query.conditions`. So a follower that reads what was stored and then what comes is shown
the same kind of event all the way.
"""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from observatory.events import Event


class Query(msgspec.Struct, frozen=True):
    """Which events are asked for; None: any.

    Its fields are fields of an event and columns of the database. The uid comes first: who may read one user's events
    only learns nothing of another's, not even by how long it takes. Then the one with the fewest events to a value.
    """

    uid: int | None = None
    session: str | None = None
    tool: str | None = None
    name: str | None = None

    @classmethod
    def of(cls, parameters: Mapping[str, str], uid: int | None) -> Query:
        """What the parameters of `/events` ask for, of the events of this user. An empty one asks for nothing."""
        session, tool, name = (parameters.get(key) or None for key in ("session", "tool", "event"))
        return cls(uid, session, tool, name)

    @property
    def conditions(self) -> tuple[tuple[str, str | int], ...]:
        """Fields, and what each of them has to be."""
        return tuple((field, value) for field, value in msgspec.structs.asdict(self).items() if value is not None)

    def predicate(self) -> Callable[[Event], bool]:
        """Whether an event is one of those asked for."""
        conditions = self.conditions
        if not conditions:
            return lambda _event: True
        fields = attrgetter(*(field for field, _ in conditions))
        # Of one field, attrgetter gets the value itself and no tuple.
        wanted = conditions[0][1] if len(conditions) == 1 else tuple(value for _, value in conditions)
        return lambda event: bool(fields(event) == wanted)

    def selection(self, *, lines: bool, lagging: bool) -> tuple[str, tuple[str | int, ...]]:
        """SQL for the ids, with `lines` also the lines, of events whose ids are in a range, in that order; its values.

        The ends of the range are its last two parameters, the first of which is not in it. `lagging` for ids that are
        not indexed yet.
        """
        conditions = self.conditions
        table, sign = ("event", "") if lagging or not conditions else ("facet", "+")
        columns = f"{table}.id, event.line" if lines else f"{table}.id"
        tables = "facet JOIN event ON event.id = facet.id" if lines and table == "facet" else table
        # One index is used, that of the first column, or of a uid and a session. The sign takes the others out of the
        # choice of the planner, who knows nothing of how many events there are to a value.
        columns_of_index = 2 if [column for column, _ in conditions[:2]] == ["uid", "session"] else 1
        where = [
            f"{sign if place >= columns_of_index else ''}{table}.{column} = ?"
            for place, (column, _) in enumerate(conditions)
        ]
        where += [f"{table}.id > ?", f"{table}.id <= ?"]
        sql = f"SELECT {columns} FROM {tables} WHERE {' AND '.join(where)} ORDER BY {table}.id"  # noqa: S608 - no values
        return sql, tuple(value for _, value in conditions)
