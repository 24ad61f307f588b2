"""A text anywhere in an event, upper and lower case alike: the newest first, some thousand places at a time."""

from __future__ import annotations

import dataclasses
from collections import deque
from typing import TYPE_CHECKING, Any, Final

import msgspec

from observatory.feed.row import row
from observatory.feed.source import place_of
from observatory.reading import read_event, reader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from observatory.feed.find import Filter
    from observatory.feed.source import Source

STEP: Final = 10_000
"""Places that are looked at before what was found in them is told."""
_encode = msgspec.json.Encoder().encode


def matcher(text: str) -> Callable[[bytes], bool]:
    """Whether an event's line has a text, which is in lower case, in it."""
    # As it stands in the event: quotation marks and controls are escaped there, other letters are not.
    wanted = _encode(text)[1:-1]
    if text.isascii():
        # Most lines are, too; and in the others no letter beyond ASCII is one of these in another case, but for two
        # that nobody writes (U+212A and U+0130).
        return lambda line: wanted in (_plain(line) if b"\\u" in line else line).lower()
    return lambda line: wanted in _plain(line).decode().lower().encode()


def steps(source: Source, text: str, after: int, through: int, step: int = STEP) -> Iterator[list[int]]:
    """The places of events that have the text in them, of after < place <= through: those of the newest `step` places,
    then those of the next. Raises SourceError.
    """
    has = matcher(text)
    while through > after:
        least = max(after, through - step)
        yield [place for place, line in source.between(least, through) if has(line)]
        through = least


class _Named(msgspec.Struct):
    """What is read of an event to tell whether its names are those asked for; whatever its sender put there."""

    event: Any = msgspec.field(name="_event", default=None)
    time: Any = msgspec.field(name="_ts", default=None)
    uid: Any = msgspec.field(name="_peer_uid", default=None)
    host: Any = msgspec.field(name="_host", default=None)
    session: Any = msgspec.field(name="session_id", default=None)
    tool: Any = msgspec.field(name="tool_name", default=None)


def filtering(wanted: Filter) -> Callable[[bytes], bool]:
    """Whether an event is one that a filter means: by its line, which has the filter's words anywhere in it."""
    has = matcher(wanted.words)
    rest = dataclasses.replace(wanted, words="")
    named = rest.matcher()
    decode = reader(_Named)

    def matches(line: bytes) -> bool:
        if not has(line):
            return False
        if not rest:
            return True
        return named(row(0, msgspec.to_builtins(decode(line))))

    return matches


def newest(
    lines: Callable[[dict[str, str | list[str]]], Iterable[bytes]],
    query: dict[str, str | list[str]],
    last: int,
    most: int,
    matches: Callable[[bytes], bool],
) -> list[bytes]:
    """The newest `most` events, in their order, that a query of `/events` selects and that match; `last` is the newest
    id of all. What is older than they are is not read. Raises ObservatoryError.
    """
    found: deque[bytes] = deque()
    while last > 0 and len(found) < most:
        least = max(0, last - STEP)
        step: list[bytes] = []
        for line in lines({**query, "after": str(least), "limit": str(last - least)}):
            if place_of(line) > last:
                break
            if matches(line):
                step.append(line)
        found.extendleft(reversed(step[max(0, len(step) - most + len(found)) :]))
        last = least
    return list(found)


def _plain(line: bytes) -> bytes:
    """The same event with no more escapes than JSON must have: senders may escape what they like."""
    return _encode(read_event(line)) if b"\\u" in line else line
