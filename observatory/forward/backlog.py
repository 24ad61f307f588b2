"""Events read ahead of a server by a thread, in order, a bounded number of them, through the server's restarts."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING, Final

from observatory.feed.source import SourceError
from observatory.forward.backoff import Backoff

if TYPE_CHECKING:
    from collections.abc import Callable

    from observatory.feed.source import Source

ROOM: Final = 1024
"""Events that are read ahead, at most."""
ROOM_BYTES: Final = 16 * 1024 * 1024
"""Their size, at most; a single one may be larger."""


class Backlog:
    """What comes after an event. `on_more` is called by the thread when there is something to take again."""

    def __init__(self, source: Source, after: int, on_more: Callable[[], None], log: Callable[[str], None]) -> None:
        self._source = source
        self._after = after
        self._on_more = on_more
        self._log = log
        self._events: deque[bytes] = deque()
        self._bytes = 0
        self._changed = threading.Condition()
        self._stopping = threading.Event()
        threading.Thread(target=self._run, name="backlog", daemon=True).start()

    def take(self, most: int) -> list[bytes]:
        """The next lines, `most` at most; none if there are none just now."""
        with self._changed:
            taken = [self._events.popleft() for _ in range(min(most, len(self._events)))]
            self._bytes -= sum(map(len, taken))
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
                for place, line in self._source.follow(self._after, 0):
                    backoff.reset()
                    trouble = ""
                    self._put(line)
                    self._after = place
                    if self._stopping.is_set():
                        return
                said = f"{self._source.name} has ended; waiting for it to come back"
            except SourceError as error:
                said = str(error)
            if said != trouble:
                self._log(said)
                trouble = said
            self._stopping.wait(backoff.seconds())

    def _put(self, line: bytes) -> None:
        with self._changed:
            while self._events and (len(self._events) >= ROOM or self._bytes + len(line) > ROOM_BYTES):
                self._changed.wait()
                if self._stopping.is_set():
                    return
            first = not self._events
            self._events.append(line)
            self._bytes += len(line)
        if first:
            self._on_more()
