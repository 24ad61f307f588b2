"""Deleting events that are older than wanted, or more than there is room for. Age is by a clock that can't run ahead.

The machine's clock may: it's set, by hand or by a time server that is wrong, and events that are young look old then.
What was deleted stays deleted when the clock is right again. So the time by which events are old goes on from that of
the newest one at the start, as fast as time really passes, and is never more than what the clock says. A machine that
was off for a week deletes a week late, until the next start; no event is deleted that is not that old.
"""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from observatory.service.loop import Loop
    from observatory.store import Store

EVERY: Final = 60.0
"""Seconds between two looks for events that are older than wanted."""
AGAIN: Final = 0.01
"""Seconds between two deletions, as long as there is something to delete."""
AHEAD: Final = 7
"""Days by which the clock has to run ahead for the log to have a line."""
_DAY: Final = 86_400 * 1_000_000


class Retention:
    """Deletes the events of a store that are older than `retain` seconds, from now on, and the oldest as long as all
    take more than `most` bytes. `None`: none of them.
    """

    def __init__(
        self, loop: Loop, store: Store, retain: int | None, log: Callable[[str], None], most: int | None = None
    ) -> None:
        self._loop = loop
        self._store = store
        self._retain = retain
        self._most = most
        self._log = log
        now, newest = _clock(), store.newest_time()
        self._base = (now if newest is None else min(now, newest)) - _passed()
        self._told = False
        if not store.shrinks:
            log(
                "warning: the database's file was made by an earlier version and keeps its size; `observatory compact`"
                " rewrites it so that it becomes smaller with what is deleted"
            )
        self._look()

    def _look(self) -> None:
        """Delete a little, and come back for more."""
        more = self._retain is not None and self._forget_old(self._retain)
        more = (self._most is not None and self._store.forget_beyond(self._most)) or more
        if not more:
            self._store.give_back()
        self._loop.call_later(AGAIN if more else EVERY, self._look)

    def _forget_old(self, retain: int) -> bool:
        clock, due = _clock(), self._base + _passed()
        if clock - due > AHEAD * _DAY and not self._told:
            self._told = True
            self._log(
                f"warning: the clock is {round((clock - due) / _DAY)} days ahead of the time that has passed since the"
                " newest event at the start: events are deleted that much later, until the next start"
            )
        return self._store.forget(min(clock, due) - retain * 1_000_000)


def _clock() -> int:
    """Microseconds since the epoch, as the machine has it."""
    return time.time_ns() // 1000


def _passed() -> int:
    """Microseconds since some moment, which nobody can set: also those in which the machine slept, on Linux."""
    if sys.platform == "linux":
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1000
    else:  # noqa: RET505 - so that both checkers see that this is every other platform's
        return time.monotonic_ns() // 1000
