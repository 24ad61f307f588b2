"""One run of a forwarder: from a server's socket, from the cursor on, with a word now and then on how far it is."""

from __future__ import annotations

import asyncio
import signal
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Protocol

from observatory.feed.source import SourceError
from observatory.forward.backlog import Backlog
from observatory.forward.history import time_of
from observatory.forward.threads import in_thread

if TYPE_CHECKING:
    from collections.abc import Callable

    from observatory.feed.source import DatabaseSource
    from observatory.forward.cursor import Cursor

REPORT: Final = 5.0
"""Seconds between two words on how far it is, where that has changed."""
REMIND: Final = 10.0
"""Seconds between two words while it is behind: the time since the oldest event that has not arrived always changes."""
LAST_WORD: Final = 2.0
"""Seconds to find out at the end how far it is."""


class Forwarder(Protocol):
    """Sends what a backlog gives."""

    delivered: int
    """Events that the other side has taken since the start."""

    @property
    def remarks(self) -> str:
        """What else there is to say of the events so far, as the end of a sentence; "" for nothing."""
        ...

    def more(self) -> None:
        """There is something to take from the backlog. For the loop's thread."""
        ...

    async def run(self, backlog: Backlog, stopping: asyncio.Event) -> None:
        """Send until `stopping` is set, and not much longer."""
        ...


async def forward(
    make: Callable[[], Forwarder], source: DatabaseSource, cursor: Cursor, log: Callable[[str], None], *, once: bool
) -> None:
    """Forward until SIGINT or SIGTERM, or with `once` until all that there is now has arrived."""
    loop = asyncio.get_running_loop()
    stopping = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopping.set)
    forwarder = make()

    def more() -> None:
        loop.call_soon_threadsafe(forwarder.more)

    backlog = Backlog(source, cursor.position, more, log)
    watch = _end_when_all_has_arrived(source, cursor, stopping) if once else _report(forwarder, source, cursor, log)
    watching = asyncio.create_task(watch)
    try:
        await forwarder.run(backlog, stopping)
    finally:
        watching.cancel()
        backlog.stop()
    try:
        said = await asyncio.wait_for(in_thread(lambda: lag(forwarder, source, cursor)[1]), LAST_WORD)
    except TimeoutError:
        said = _not_known(forwarder, f"{source.name} does not answer")
    log(said)


async def _end_when_all_has_arrived(source: DatabaseSource, cursor: Cursor, done: asyncio.Event) -> None:
    due: tuple[str, int] | None = None
    while not done.is_set():
        try:
            database = await in_thread(source.database)
            if due is None or due[0] != database:
                due = database, await in_thread(source.newest)
            position = cursor.position
            if not due[1] or (position.database == database and position.id >= due[1]):
                done.set()
        except SourceError:
            pass  # the backlog has said so
        await asyncio.sleep(0.2)


async def _report(forwarder: Forwarder, source: DatabaseSource, cursor: Cursor, log: Callable[[str], None]) -> None:
    """Say how far it is: when that has changed, and again and again while it is behind."""
    said: tuple[int, int | None] | None = None
    when = 0.0
    while True:
        await asyncio.sleep(REPORT)
        behind, sentence = await in_thread(lambda: lag(forwarder, source, cursor))
        now = forwarder.delivered, behind
        if now != said or (behind and time.monotonic() - when >= REMIND - REPORT / 2):
            said, when = now, time.monotonic()
            log(sentence)


def lag(forwarder: Forwarder, source: DatabaseSource, cursor: Cursor) -> tuple[int | None, str]:
    """How far behind it is, in events (`None`: not known), and that in a sentence with the age of the oldest one."""
    try:
        position = cursor.position
        reached = position.id if source.database() == position.database else 0
        behind = max(0, source.newest() - reached)
        oldest = next(iter(source.between(reached, reached + behind)), None) if behind else None
    except SourceError:
        return None, _not_known(forwarder, "the server is gone")
    seconds = ""
    if oldest is not None:
        stamp = datetime.fromisoformat(time_of(oldest[1]))
        seconds = f", {(datetime.now(UTC) - stamp).total_seconds():.1f} s"
    events = f" events{seconds}" if behind else ""
    return behind, f"forwarded {forwarder.delivered} events; lag {behind}{events}{forwarder.remarks}"


def _not_known(forwarder: Forwarder, why: str) -> str:
    return (
        f"forwarded {forwarder.delivered} events; how many more there are is not known, since {why}{forwarder.remarks}"
    )
