"""Events that nobody sent."""

from __future__ import annotations

from observatory.events import Event

SECOND = 1_000_000
"""In the unit of an event's time."""


def event(
    number: int,
    size: int = 0,
    *,
    name: str = "Stop",
    uid: int | None = 1000,
    session: str | None = None,
    line: bytes | None = None,
) -> Event:
    """The event of that number, a second after the one before. Its line has `size` bytes to spare, if none is given."""
    data = b'{"_id":%d,"pad":"%b"}' % (number, b"x" * size) if line is None else line
    return Event(number, number * SECOND, name, uid, session, None, data)
