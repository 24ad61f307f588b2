"""Whether what was forwarded is still what the server has: its database may be another one, or have lost its end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from observatory.forward.cursor import Position

if TYPE_CHECKING:
    from collections.abc import Callable

    from observatory.feed.source import DatabaseSource


class _Stamp(msgspec.Struct):
    ts: str = msgspec.field(name="_ts")


_decode = msgspec.json.Decoder(_Stamp).decode


def time_of(line: bytes) -> str:
    """The time of an event's line, as it stands there."""
    return _decode(line).ts


def is_of(source: DatabaseSource, position: Position) -> bool:
    """Whether an event at that position is, or once was, one of the source's. Raises SourceError.

    It is not if the server has another database, or if its database has lost its last events: in a power cut, or since
    it was restored from a copy.
    """
    if source.database() != position.database:
        return False
    for _, line in source.between(position.id - 1, position.id):
        return time_of(line) == position.ts
    # Gone: old events are dropped, but ids only grow.
    return source.newest() >= position.id


def begin(source: DatabaseSource, reached: Position, log: Callable[[str], None]) -> Position:
    """Where to go on: at what was reached, or at the beginning if the server has other events than that was of.

    Raises SourceError.
    """
    database = source.database()
    if database != reached.database:
        if reached.id:
            log(f"{source.name} has another database than before: forwarding all of it")
        return Position(database)
    if reached.id and not is_of(source, reached):
        log(f"{source.name} has lost events that were forwarded: looking through all that it has")
        return Position(database)
    return reached
