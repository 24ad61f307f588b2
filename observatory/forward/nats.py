"""To NATS JetStream: many events under way at once, in order, each in the stream once.

Why each is there once, though connections break and this process may be killed at any moment:

- An event counts as delivered when JetStream has acknowledged it, and the cursor moves over those that have been, as
  far as there is no gap.
- Whatever was not acknowledged when a connection broke, and whatever comes after a start, is looked up in the stream
  before it's sent (`nats_stream.Held`): until that was possible, it's not sent. A host needs to be allowed to read its
  own subjects for that, and no others.
- What was still on its way when it was looked up, JetStream drops by its message id when it comes a second time, for
  as long as its `duplicate_window`.

Why the order is kept: everything goes over one connection in order, and no more than `WINDOW` events are under way. If
the stream's leader dies, all of those wait for it; the new one gets them again from the first that it does not have.
(Where a leader hands over in an orderly way to another one, some of those under way may fall between the two and be
stored after later ones: their `_id`s tell.)
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import msgspec
import nats.errors
from nats.js.api import Header

from observatory.forward.backoff import Backoff
from observatory.forward.cursor import Position
from observatory.forward.nats_connection import CONNECT_PATIENCE, NatsConnectionError, connect, drop
from observatory.forward.nats_stream import Held, note, noted, refusal
from observatory.forward.nats_subject import address, text
from observatory.forward.troubles import Troubles
from observatory.reading import read_event

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from nats.aio.msg import Msg

    from observatory.feed.source import DatabaseSource
    from observatory.forward.backlog import Backlog, Entry
    from observatory.forward.cursor import Cursor
    from observatory.forward.nats_connection import Access, NatsConnection
    from observatory.forward.nats_stream import Note
    from observatory.forward.nats_subject import Address

WINDOW: Final = 512
"""Events that may be under way."""
WINDOW_BYTES: Final = 8 * 1024 * 1024
"""Their size, at most; a single one may be larger."""
PORTION: Final = 64
"""Events that are looked up and sent together, at most."""
ACK_PATIENCE: Final = 5.0
"""Seconds to wait for the oldest acknowledgement before the connection is given up."""
END_PATIENCE: Final = 2.0
"""Seconds to wait for what is under way when it is told to stop."""
SAVE: Final = 0.2
"""Seconds between two writings of the cursor."""
LOOK_AROUND: Final = 10.0
"""Seconds between two looks at who else forwards as this host."""
HEADROOM: Final = 4096
"""Bytes of a message besides its payload."""
_PREFIX_TOKENS: Final = 3
"""Tokens of an inbox before the message id: `_INBOX`, the host, and one of its own."""


@dataclass(slots=True)
class _Item:
    line: bytes
    database: str
    to: Address
    sent: float = 0.0
    acknowledged: bool = False


class NatsForwarder:
    """Sends what a backlog gives. `log` takes sentences."""

    def __init__(self, access: Access, source: DatabaseSource, cursor: Cursor, log: Callable[[str], None]) -> None:
        self._access = access
        self._source = source
        self._cursor = cursor
        self._log = log
        self._items: dict[str, _Item] = {}
        """What is under way, to be looked up or to be sent again, oldest first, by message id."""
        self._bytes = 0
        self._move = asyncio.Event()
        self._trouble = ""
        self._troubles = Troubles(log, "connected again")
        self._found = 0
        """Events that the stream had already, and of which nothing has been said yet."""
        self._own = {cursor.position.database, cursor.former}
        """Databases that are known to be this forwarder's."""
        self._noted = ""
        """The database that this connection's stream has a note of."""
        self._looked = 0.0
        self.delivered = 0
        self.remarks = ""

    def more(self) -> None:
        """There is something to take from the backlog. For the loop's thread."""
        self._move.set()

    async def run(self, backlog: Backlog, stopping: asyncio.Event) -> None:
        """Send until `stopping` is set and what is under way has arrived, or has not for a while."""
        backoff = Backoff()
        while not stopping.is_set():
            before = self.delivered
            try:
                await _until_stopped(self._connected(backlog, stopping), stopping)
            except NatsConnectionError as error:
                self._troubles.add(str(error))
                if self.delivered > before:
                    backoff.reset()
                await backoff.pause(stopping)
        self._say_what_was_found()
        self._cursor.save()

    async def _connected(self, backlog: Backlog, stopping: asyncio.Event) -> None:
        nc = await connect(self._access, f"_INBOX.{self._access.host}")
        try:
            await self._session(nc, backlog, stopping)
        except (nats.errors.Error, OSError, TimeoutError) as error:
            raise NatsConnectionError(f"lost the connection: {nc.reason(error)}") from error
        finally:
            await drop(nc)

    async def _session(self, nc: NatsConnection, backlog: Backlog, stopping: asyncio.Event) -> None:
        """One connection's life. Raises NatsConnectionError at its end, unless all is done."""
        prefix = nc.new_inbox()
        self._trouble = self._noted = ""
        held = Held(nc, self._access.host, self._source)
        await nc.subscribe(f"{prefix}.>", cb=self._on_ack)
        await nc.flush(int(CONNECT_PATIENCE))
        waiting = [item for item in self._items.values() if not item.acknowledged]
        for start in range(0, len(waiting), PORTION):
            await self._send(nc, prefix, held, waiting[start : start + PORTION])
        saved = time.monotonic()
        while not (stopping.is_set() and not self._items):
            self._move.clear()
            while not stopping.is_set() and (room := self._room()) and (entries := backlog.take(room)):
                await self._send(nc, prefix, held, [self._remember(entry) for entry in entries])
            if not self._items:
                self._say_what_was_found()
                self._troubles.end()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._move.wait(), SAVE)
            if time.monotonic() - saved >= SAVE:
                saved = time.monotonic()
                self._cursor.save()
            self._watch(nc)
            if self._noted and time.monotonic() - self._looked >= LOOK_AROUND:
                await self._look_around(nc)

    def _watch(self, nc: NatsConnection) -> None:
        if self._trouble:
            raise NatsConnectionError(self._trouble)
        if nc.refusals:
            raise NatsConnectionError(nc.refusals[0])
        if not nc.is_connected:
            raise NatsConnectionError("lost the connection")
        oldest = next(iter(self._items.values()), None)
        if oldest is not None and time.monotonic() - oldest.sent > ACK_PATIENCE:
            raise NatsConnectionError(f"no acknowledgement for {ACK_PATIENCE:.0f} seconds")

    def _room(self) -> int:
        if self._items and self._bytes >= WINDOW_BYTES:
            return 0
        return min(PORTION, WINDOW - len(self._items))

    def _remember(self, entry: Entry) -> _Item:
        item = _Item(entry.line, entry.database, address(self._access.host, entry.database, entry.line))
        self._items[item.to.message] = item
        self._bytes += len(item.line)
        return item

    async def _send(self, nc: NatsConnection, prefix: str, held: Held, items: list[_Item]) -> None:
        """Send those of them that the stream does not have. They are remembered, whatever goes wrong."""
        there = await held.has([item.to for item in items])
        for item, is_there in zip(items, there, strict=True):
            if is_there:
                self._found += not item.sent
                self.delivered += bool(item.sent)
                item.acknowledged = True
                self._advance()
                continue
            self._say_what_was_found()
            if item.database != self._noted:
                await self._introduce(nc, item.database)
            await self._publish(nc, prefix, item)

    def _say_what_was_found(self) -> None:
        if self._found:
            self._log(f"the stream has {self._found} events already that were not yet known to have arrived")
            self._found = 0

    async def _introduce(self, nc: NatsConnection, database: str) -> None:
        """Note which database is forwarded as this host from now on."""
        self._own.add(database)
        there = await self._look_around(nc)
        if there is None or there.database != database:
            await note(nc, self._access.host, database)
        self._noted = database

    async def _look_around(self, nc: NatsConnection) -> Note | None:
        """Say it if somebody else forwards as this host too; what is noted."""
        self._looked = time.monotonic()
        there = await noted(nc, self._access.host)
        if there is None or there.database in self._own:
            return there
        self._own.add(there.database)  # once is enough
        name = text(self._access.host)
        here = there.machine == socket.gethostname()
        self._log(
            f"as {name} there are events of another database too, from {there.machine} since {there.since}: "
            + ("of this machine's former one, or of another" if here else "of another")
            + f" forwarder; where two machines forward as {name}, give one of them another --host"
        )
        return there

    async def _publish(self, nc: NatsConnection, prefix: str, item: _Item) -> None:
        payload = item.line
        if len(payload) + HEADROOM > nc.max_payload:
            payload = _cut(payload)
            self._log(
                f"event {item.to.id} has {len(item.line)} bytes, and this NATS takes {nc.max_payload}: what was sent "
                "of it is who sent it, its names, and its size"
            )
        item.sent = time.monotonic()
        # The answer's subject says which event it is about.
        await nc.publish(
            item.to.subject,
            payload,
            reply=f"{prefix}.{item.to.message}",
            headers={Header.MSG_ID.value: item.to.message},
        )

    async def _on_ack(self, message: Msg) -> None:
        item = self._items.get(".".join(message.subject.split(".")[_PREFIX_TOKENS:]))
        if item is None or item.acknowledged:
            return
        if message.headers and message.headers.get("Status") == "503":
            trouble = "no stream takes events: there is none, or it has no leader just now"
        else:
            trouble = refusal(message.data)
        if trouble:
            self._trouble = trouble
            self._move.set()
            return
        self._troubles.end()
        item.acknowledged = True
        self.delivered += 1
        self._advance()

    def _advance(self) -> None:
        """Move the cursor over what has been acknowledged, as far as there is no gap."""
        last: _Item | None = None
        while self._items:
            key = next(iter(self._items))
            item = self._items[key]
            if not item.acknowledged:
                break
            del self._items[key]
            self._bytes -= len(item.line)
            last = item
        if last is not None:
            self._cursor.position = Position(last.database, last.to.id, last.to.ts)
            self._move.set()


async def _until_stopped(work: Coroutine[Any, Any, None], stopping: asyncio.Event) -> None:
    """Do work that ends by itself soon after `stopping` is set, if it can; else it's ended."""
    task, stop = asyncio.ensure_future(work), asyncio.ensure_future(stopping.wait())
    try:
        await asyncio.wait((task, stop), return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            await asyncio.wait((task,), timeout=END_PATIENCE)
        if task.done():
            await task
    finally:
        stop.cancel()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def _cut(line: bytes) -> bytes:
    """An event that is too long: the server's own fields, its names, and how long it was."""
    event = read_event(line)
    kept = {key: value for key, value in event.items() if key.startswith("_") and key not in {"_raw", "_value"}}
    for key in ("session_id", "tool_name", "tool_use_id", "cwd", "hook_event_name"):
        if isinstance(value := event.get(key), str) and len(value) <= HEADROOM:
            kept[key] = value
    return msgspec.json.encode({**kept, "_line_bytes": len(line)})
