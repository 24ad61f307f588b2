"""Events read ahead of a server by a thread, in order, a bounded number of them, through the server's restarts."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import msgspec

from observatory.feed.source import SourceError
from observatory.forward.backoff import Backoff
from observatory.forward.cursor import Position
from observatory.forward.history import begin

if TYPE_CHECKING:
    from collections.abc import Callable

    from observatory.feed.source import DatabaseSource

ROOM: Final = 1024
"""Events that are read ahead, at most."""
ROOM_BYTES: Final = 16 * 1024 * 1024
"""Their size, at most; a single one may be larger."""


@dataclass(frozen=True, slots=True)
class Entry:
    """An event's line, and the database that it is of."""

    database: str
    line: bytes

    @property
    def position(self) -> Position:
        """Where it is."""
        head = _decode(self.line)
        return Position(self.database, head.id, head.ts)


class _Head(msgspec.Struct):
    id: int = msgspec.field(name="_id")
    ts: str = msgspec.field(name="_ts")


_decode = msgspec.json.Decoder(_Head).decode


class Backlog:
    """What comes after a position, of whatever database the server has.

    `on_more` is called by the thread when there is something to take again.
    """

    def __init__(
        self, source: DatabaseSource, after: Position, on_more: Callable[[], None], log: Callable[[str], None]
    ) -> None:
        self._source = source
        self._reached = after
        self._on_more = on_more
        self._log = log
        self._entries: deque[Entry] = deque()
        self._bytes = 0
        self._changed = threading.Condition()
        self._stopping = threading.Event()
        threading.Thread(target=self._run, name="backlog", daemon=True).start()

    def take(self, most: int) -> list[Entry]:
        """The next events, `most` at most; none if there are none just now."""
        with self._changed:
            taken = [self._entries.popleft() for _ in range(min(most, len(self._entries)))]
            self._bytes -= sum(len(entry.line) for entry in taken)
            self._changed.notify()
        return taken

    def stop(self) -> None:
        """Read no more."""
        self._stopping.set()
        with self._changed:
            self._changed.notify()

    def _run(self) -> None:
        backoff, trouble = Backoff(), ""
        while not self._stopping.is_set():
            try:
                self._reached = begin(self._source, self._reached, self._log)
                for _, line in self._source.since(self._reached.database, self._reached.id):
                    backoff.reset()
                    trouble = ""
                    entry = Entry(self._reached.database, line)
                    self._put(entry)
                    self._reached = entry.position
                    if self._stopping.is_set():
                        return
                said = f"{self._source.name} has ended; waiting for it to come back"
            except SourceError as error:
                said = str(error)
            if said != trouble:
                self._log(said)
                trouble = said
            self._stopping.wait(backoff.seconds())

    def _put(self, entry: Entry) -> None:
        size = len(entry.line)
        with self._changed:
            while self._entries and (len(self._entries) >= ROOM or self._bytes + size > ROOM_BYTES):
                self._changed.wait()
                if self._stopping.is_set():
                    return
            first = not self._entries
            self._entries.append(entry)
            self._bytes += size
        if first:
            self._on_more()
