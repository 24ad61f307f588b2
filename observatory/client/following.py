"""Following the events of a server beyond its end, until it serves again: none is lost, and none comes twice."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

import msgspec

from observatory.errors import ExitStatus, ObservatoryError
from observatory.reading import read_event

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from observatory.client.client import Client, Parameters

FIRST: Final = 0.1
"""Seconds from the end of a server to the first try to reach it again."""
LONGEST: Final = 2.0
"""Seconds between two tries, at most: each pause is twice the one before."""
_PLACES: Final = frozenset({"after", "limit", "follow"})
"""Parameters that say where to begin and to end, not what to show."""
_MAY_CHANGE: Final = (ExitStatus.UNAVAILABLE, ExitStatus.NOT_PERMITTED)
"""Why a server can't be reached while it starts: until it listens, its socket lets nobody in."""


def follow(client: Client, parameters: Parameters, say: Callable[[str], None]) -> Iterator[bytes]:
    """The events that these parameters of `/events` select, and what comes, for ever; one JSON object each.

    It ends only if so many events were asked for after a given one, when these have come. While the server can't be
    reached any more, `say` is told so. Raises ObservatoryError if it can't be reached in the beginning.
    """
    list(client.lines({"limit": "1"}))
    following = _Following(client, parameters)
    pause, said = FIRST, None
    while True:
        begun = time.monotonic()
        try:
            for line in following.lines():
                pause, said = FIRST, None
                yield line
            why, status = f"the server at {client.path} has ended", ExitStatus.UNAVAILABLE
            if time.monotonic() - begun > LONGEST:
                pause, said = FIRST, None
        except ObservatoryError as error:
            if error.status not in _MAY_CHANGE:
                raise
            why, status = str(error), error.status
        if following.complete:
            return
        if status is not said:
            said = status
            say(f"{why}; trying again until it can be reached")
        time.sleep(pause)
        pause = min(2 * pause, LONGEST)


class _Following:
    """How far the events of a server have been followed."""

    def __init__(self, client: Client, parameters: Parameters) -> None:
        self._client = client
        self._filters = {name: value for name, value in parameters.items() if name not in _PLACES}
        after, limit = (_number(parameters, name) for name in ("after", "limit"))
        self._newest = None if after is not None else limit
        """So many events of the past are wanted: the newest ones; `None`: all, or all after `_after`."""
        self._after = after or 0
        self._last: bytes | None = None
        """The event of that id, if it was seen."""
        self._left = None if after is None or limit is None else limit

    @property
    def complete(self) -> bool:
        """Whether as many as were asked for have come."""
        return self._left == 0

    def lines(self) -> Iterator[bytes]:
        """What there is and comes, until the server ends. Raises ObservatoryError."""
        if self._newest is not None:
            yield from self._past(self._newest)
        elif self._last is not None and self._is_another(self._last):
            self._after, self._last = 0, None
        query = {**self._filters, "after": str(self._after), "follow": "1"}
        if self._left is not None:
            query["limit"] = str(self._left)
        for line in self._client.lines(query):
            self._note(line)
            yield line

    def _past(self, limit: int) -> Iterator[bytes]:
        """The newest of the past. If the server ends before all of them have come, the others are what comes."""
        newest = list(self._client.lines({"limit": "1"}))
        for line in self._client.lines({**self._filters, "limit": str(limit)}):
            self._newest = None
            self._note(line)
            yield line
        self._newest = None
        if newest and _id(newest[0]) > self._after:
            self._note(newest[0])

    def _note(self, line: bytes) -> None:
        self._after, self._last = _id(line), line
        if self._left is not None:
            self._left -= 1

    def _is_another(self, last: bytes) -> bool:
        """Whether the server has another database than before, whose ids begin anew."""
        # The newest first: where that is not older, the other one is there now or never will be.
        if all(_id(line) < self._after for line in self._client.lines({"limit": "1"})):
            return True
        for line in self._client.lines({"after": str(self._after - 1), "limit": "1"}):
            if _id(line) == self._after:
                return line != last
        return False  # it has been deleted for its age


def _number(parameters: Parameters, name: str) -> int | None:
    value = parameters.get(name)
    return int(value) if isinstance(value, str) else None


def _id(line: bytes) -> int:
    try:
        number = read_event(line).get("_id")
    except (msgspec.DecodeError, RecursionError):
        number = None
    if type(number) is not int:
        raise ObservatoryError("what answers does not answer like an observatory: an event has no id")
    return number
