"""Which of the latest events are shown: those that match the filter, held still while someone reads."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING, Final

from observatory.feed.feed import KEPT
from observatory.feed.find import Filter

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from observatory.feed.row import Row

SLACK: Final = 8_192


class Window:
    """The latest rows, and those of them that are shown, newest first."""

    def __init__(self, kept: int = KEPT) -> None:
        self._kept = kept
        self._rows: list[Row] = []
        self._hits: list[Row] = self._rows
        self._held: int | None = None
        self.paused = False
        """While it is, nothing lets go of what is held."""
        self.filter = Filter()
        self._found: set[int] = set()
        """Places of events that have the filter's words in them, though their rows need not."""
        self._matches = self.filter.matcher(self._found)

    def append(self, rows: Sequence[Row]) -> None:
        """Take rows that follow those that are there."""
        self._rows.extend(rows)
        if self._hits is not self._rows:
            self._hits.extend(filter(self._matches, rows))
        if len(self._rows) > self._kept + SLACK:
            del self._rows[: len(self._rows) - self._kept]
            if self._hits is not self._rows:
                del self._hits[: bisect_left(self._hits, self._rows[0].place, key=_place)]

    def clear(self) -> None:
        """Forget every row."""
        self._rows = []
        self.choose(self.filter)

    def choose(self, wanted: Filter) -> None:
        """Show those that match this filter."""
        self.filter = wanted
        self._found.clear()
        self._matches = wanted.matcher(self._found)
        self._choose()

    def found(self, places: Iterable[int]) -> None:
        """Show these too: the filter's words are in their events."""
        self._found.update(places)
        self._choose()

    def _choose(self) -> None:
        self._hits = list(filter(self._matches, self._rows)) if self.filter else self._rows

    def hold(self, on: bool) -> None:
        """Show no row that comes after now; or all that have come."""
        if not on:
            self._held = self._held if self.paused else None
        elif self._held is None:
            self._held = self._rows[-1].place if self._rows else 0

    @property
    def held(self) -> bool:
        """Whether it holds still."""
        return self._held is not None

    def __len__(self) -> int:
        return len(self._hits) if self._held is None else bisect_right(self._hits, self._held, key=_place)

    @property
    def waiting(self) -> int:
        """How many matching rows have come while it holds still."""
        return len(self._hits) - len(self)

    @property
    def places(self) -> tuple[int, int]:
        """Between which places its rows are: after the first, and through the second."""
        return (self._rows[0].place - 1, self._rows[-1].place) if self._rows else (0, 0)

    @property
    def total(self) -> int:
        """How many rows there are, matching or not."""
        return len(self._rows)

    def __getitem__(self, index: int) -> Row:
        """A shown row, from the newest. Raises IndexError."""
        size = len(self)
        if not 0 <= index < size:
            raise IndexError(index)
        return self._hits[size - 1 - index]

    def index_of(self, place: int | None) -> int | None:
        """Where the row of that place is, if it's shown."""
        if place is None:
            return None
        found = bisect_left(self._hits, place, key=_place)
        size = len(self)
        return size - 1 - found if found < size and self._hits[found].place == place else None

    def pause(self, on: bool) -> None:
        """Hold still whatever happens, or no more."""
        self.hold(True)
        self.paused = on
        self.hold(on)

    def counts(self, since: int, width: int, bars: int) -> list[int]:
        """How many matching rows there are in each of `bars` spans of `width` milliseconds from `since` on."""
        found = [0] * bars
        for row in reversed(self._hits):
            bar = (row.time - since) // width
            if bar < 0:
                break
            if bar < bars:
                found[bar] += 1
        return found


def _place(row: Row) -> int:
    return row.place
