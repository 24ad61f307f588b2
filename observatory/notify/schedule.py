"""When to tell: a burst in one message, and nothing in quiet hours. Pure: the time comes from outside."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from observatory.notify.occasions import Key, Kind, Occasion

MOST: Final = 1000
"""So many occasions are held back; with one more, the oldest is forgotten."""


@dataclass(frozen=True, slots=True)
class QuietHours:
    """From one time of the day to another, perhaps over midnight."""

    begin: time
    end: time

    def until(self, now: datetime) -> datetime | None:
        """When the quiet that is now ends; `None` if it is not quiet. `now` is local, and without a zone."""
        if self.begin <= self.end:
            quiet = self.begin <= now.time() < self.end
        else:
            quiet = now.time() >= self.begin or now.time() < self.end
        if not quiet:
            return None
        end = datetime.combine(now.date(), self.end)
        return end if end > now else end + timedelta(days=1)


def quiet_hours(text: str) -> QuietHours:
    """Quiet hours from text such as `22:00-07:30`. Raises ValueError, with a sentence."""
    found = re.fullmatch(r"([01]?\d|2[0-3]):([0-5]\d)-([01]?\d|2[0-3]):([0-5]\d)", text)
    if found is None or found.group(1, 2) == found.group(3, 4):
        raise ValueError(f"{text!r} is not a time span such as 22:00-07:00")
    begin, end = time(int(found[1]), int(found[2])), time(int(found[3]), int(found[4]))
    return QuietHours(begin, end)


@dataclass(slots=True)
class Schedule:
    """Occasions that wait to be told. Moments are seconds of a clock that only grows.

    Of each session the latest of each kind is told.
    """

    burst: float
    """Seconds from the first occasion to the message that tells all which came in the meantime."""
    quiet: QuietHours | None = None
    _waiting: dict[tuple[Key, Kind], Occasion] = field(default_factory=dict)
    _due: float | None = None

    def add(self, occasions: Iterable[Occasion], now: float) -> None:
        """Take what is to be told."""
        for occasion in occasions:
            key = (occasion.session, occasion.kind)
            self._waiting.pop(key, None)
            self._waiting[key] = occasion
            if len(self._waiting) > MOST:
                del self._waiting[next(iter(self._waiting))]
            if self._due is None:
                self._due = now + self.burst

    def pause(self, now: float, wall: datetime) -> float | None:
        """Seconds until something is to be told; `None` if nothing is."""
        if self._due is None:
            return None
        end = None if self.quiet is None else self.quiet.until(wall)
        return max(0.0, self._due - now, 0.0 if end is None else (end - wall).total_seconds())

    def take(self) -> list[Occasion]:
        """All of it, which is now told."""
        found = list(self._waiting.values())
        self._waiting.clear()
        self._due = None
        return found
