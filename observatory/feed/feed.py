"""The latest events and every session's card, kept up to date by one thread that follows a source.

The source may end and come back: the feed goes on after the last event that it has, so none is missed and none is
there twice. Memory is bounded: of events the latest `KEPT` rows, of sessions their cards.
"""

from __future__ import annotations

import threading
from bisect import bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import msgspec

from observatory.feed.cards import Cards
from observatory.feed.row import Row, row
from observatory.feed.source import SourceError
from observatory.reading import read_event

if TYPE_CHECKING:
    from collections.abc import Callable

    from observatory.feed.cards import Card
    from observatory.feed.source import Source

KEPT: Final = 100_000
"""Rows that are kept."""
SLACK: Final = 8_192
"""So many more may gather before the oldest are dropped together."""
PATIENCE: Final = (0.1, 5.0)
"""Seconds from the end of a source to the first try to get it back, and between later ones at most."""


@dataclass(frozen=True, slots=True)
class FeedState:
    """How the feed stands: whether events come, and if not, why."""

    live: bool
    trouble: str | None = None


@dataclass(frozen=True, slots=True)
class News:
    """What there is beyond a point that a reader has reached: the new point and the rows and cards on the way."""

    place: int
    version: int
    generation: int
    rows: list[Row]
    cards: list[Card]
    gap: bool
    """Rows between the reader's point and the first of these were dropped before it came for them."""
    fresh: bool
    """The source started over: what the reader has is of another one."""


class Feed:
    """Follows a source. `on_news` is called by the feed's thread, at most once until the next `news`."""

    def __init__(self, source: Source, kept: int = KEPT) -> None:
        self.source = source
        self._kept = kept
        self._lock = threading.Lock()
        self._rows: list[Row] = []
        self._cards = Cards()
        self._generation = 1
        self._state = FeedState(live=False)
        self._listeners: list[Callable[[], None]] = []
        self._told = False
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="feed", daemon=True)

    def start(self) -> None:
        """Begin to follow."""
        self._thread.start()

    def stop(self) -> None:
        """Follow no more, and tell all who listen. The thread may wait for its source: the process's end ends it."""
        self._stopping.set()
        self._tell_all()

    @property
    def stopped(self) -> bool:
        """Whether it was told to stop."""
        return self._stopping.is_set()

    def listen(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Call `listener`, in the feed's thread, when there is news; what is returned ends that."""
        with self._lock:
            self._listeners.append(listener)

        def forget() -> None:
            with self._lock:
                self._listeners.remove(listener)

        return forget

    @property
    def state(self) -> FeedState:
        """How it stands."""
        return self._state

    def news(self, place: int = 0, version: int = 0, generation: int = 0, limit: int | None = None) -> News:
        """What has come after that row and that version of the cards; of rows the newest `limit` at most."""
        with self._lock:
            self._told = False
            fresh = generation not in {0, self._generation}
            if fresh:
                place = version = 0
            rows = self._rows
            start = bisect_right(rows, place, key=_place)
            gap = False
            if limit is not None and len(rows) - start > limit:
                start = len(rows) - limit
                gap = place > 0
            elif start == 0 and place > 0 and len(rows) >= self._kept:
                gap = rows[0].place > place
            return News(
                rows[-1].place if rows else place,
                self._cards.version,
                self._generation,
                rows[start:],
                self._cards.since(version),
                gap,
                fresh,
            )

    def before(self, place: int, limit: int) -> list[Row]:
        """The rows before that one, `limit` at most, the nearest of them, oldest first."""
        with self._lock:
            end = bisect_right(self._rows, place - 1, key=_place)
            return self._rows[max(0, end - limit) : end]

    def _run(self) -> None:
        delay = PATIENCE[0]
        while not self._stopping.is_set():
            try:
                if self._follow():
                    delay = PATIENCE[0]
                trouble = FeedState(live=False, trouble=f"{self.source.name} has ended; waiting for it to come back")
            except SourceError as error:
                trouble = FeedState(live=False, trouble=str(error))
            self._become(trouble)
            self._stopping.wait(delay)
            delay = min(delay * 2, PATIENCE[1])

    def _follow(self) -> bool:
        """Follow until the source ends; whether it ever began. Raises SourceError."""
        last = self._rows[-1] if self._rows else None
        if last is not None and self._is_another(last):
            with self._lock:
                self._rows, self._cards, last = [], Cards(), None
                self._generation += 1
        self._become(FeedState(live=True))
        for place, line in self.source.follow(None if last is None else last.place, self._kept):
            self._add(place, line)
            if self._stopping.is_set():
                break
        return True

    def _is_another(self, last: Row) -> bool:
        """Whether the source has other events than before: a new database, or another server at the same name."""
        # The newest first: where that is not older, the other one is there now or never will be.
        if self.source.newest() < last.place:
            return True
        for place, line in self.source.between(last.place - 1, last.place):
            return self._read(place, line)[0] != last
        return False  # it has been dropped for its age

    def _read(self, place: int, line: bytes) -> tuple[Row, dict[str, Any]]:
        try:
            event = read_event(line)
        except msgspec.DecodeError as error:
            raise SourceError(f"{self.source.name} sends something that is not an event: {error}") from error
        return row(place, event), event

    def _add(self, place: int, line: bytes) -> None:
        short, event = self._read(place, line)
        with self._lock:
            self._rows.append(short)
            if len(self._rows) > self._kept + SLACK:
                del self._rows[: len(self._rows) - self._kept]
            self._cards.add(short, event)
            listeners = () if self._told else tuple(self._listeners)
            self._told = True
        for listener in listeners:
            listener()

    def _become(self, state: FeedState) -> None:
        if state == self._state:
            return
        self._state = state
        self._tell_all()

    def _tell_all(self) -> None:
        with self._lock:
            listeners = tuple(self._listeners)
        for listener in listeners:
            listener()


def _place(line: Row) -> int:
    return line.place
