"""One run of a forwarder: from a server's socket, from the cursor on, with a word now and then on how far it is."""

from __future__ import annotations

import asyncio
import signal
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Protocol

import msgspec

from observatory.feed.source import SourceError
from observatory.forward.backlog import Backlog
from observatory.forward.cursor import Position

if TYPE_CHECKING:
    from collections.abc import Callable

    from observatory.feed.source import Source
    from observatory.forward.cursor import Cursor

REPORT: Final = 10.0
"""Seconds between two words on how far it is."""


class Forwarder(Protocol):
    """Sends what a backlog gives."""

    delivered: int

    def more(self) -> None:
        """There is something to take from the backlog. For the loop's thread."""
        ...

    async def run(self, backlog: Backlog, stopping: asyncio.Event) -> None:
        """Send until `stopping` is set."""
        ...


class _Stamp(msgspec.Struct):
    ts: str = msgspec.field(name="_ts")


def check(source: Source, cursor: Cursor, log: Callable[[str], None]) -> None:
    """Begin anew where the server has another database than the one that the cursor is of. Raises SourceError."""
    position = cursor.position
    if not position.id:
        return
    for _, line in source.between(position.id - 1, position.id):
        if msgspec.json.decode(line, type=_Stamp).ts == position.ts:
            return
        break
    else:
        # Gone: old events are dropped, but ids only grow.
        if source.newest() >= position.id:
            return
    log(f"{source.name} has another database than before: forwarding all of it")
    cursor.position = Position()


async def forward(
    make: Callable[[], Forwarder], source: Source, cursor: Cursor, log: Callable[[str], None], *, once: bool
) -> None:
    """Forward until SIGINT or SIGTERM, or with `once` until all that there is now has arrived."""
    loop = asyncio.get_running_loop()
    stopping = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopping.set)
    forwarder = make()

    def more() -> None:
        loop.call_soon_threadsafe(forwarder.more)

    backlog = Backlog(source, cursor.position.id, more, log)
    reporter = asyncio.create_task(_report(forwarder, source, cursor, log, stopping if once else None))
    try:
        await forwarder.run(backlog, stopping)
    finally:
        reporter.cancel()
        backlog.stop()
    log(await asyncio.to_thread(lag, forwarder.delivered, source, cursor))


async def _report(
    forwarder: Forwarder, source: Source, cursor: Cursor, log: Callable[[str], None], done: asyncio.Event | None
) -> None:
    """Say how far it is, when that has changed."""
    said = -1
    while True:
        await asyncio.sleep(0.2 if done is not None else REPORT)
        if done is not None:
            try:
                if await asyncio.to_thread(source.newest) <= cursor.position.id:
                    done.set()
            except SourceError:
                pass  # the backlog has said so
        elif forwarder.delivered != said:
            said = forwarder.delivered
            log(await asyncio.to_thread(lag, said, source, cursor))


def lag(delivered: int, source: Source, cursor: Cursor) -> str:
    """How far it is and how far behind, in a sentence: in events, and in time since the oldest that has not arrived."""
    try:
        behind = source.newest() - cursor.position.id
        oldest = next(iter(source.between(cursor.position.id, cursor.position.id + 1)), None) if behind > 0 else None
    except SourceError:
        return f"forwarded {delivered} events; how many more there are is not known, since the server is gone"
    if behind <= 0:
        return f"forwarded {delivered} events; lag 0"
    seconds = ""
    if oldest is not None:
        stamp = datetime.fromisoformat(msgspec.json.decode(oldest[1], type=_Stamp).ts)
        seconds = f", {(datetime.now(UTC) - stamp).total_seconds():.1f} s"
    return f"forwarded {delivered} events; lag {behind} events{seconds}"
