"""To NATS JetStream: many events under way at once, in order, each in the stream once.

Why each is there once, though connections break and this process may be killed at any moment:

- An event counts as delivered when JetStream has acknowledged it, and the cursor moves over those that have been, as
  far as there is no gap. Whatever was under way when a connection broke is sent again, in the same order; JetStream
  drops those that it has, by their message id, for as long as its `duplicate_window`.
- After a start the cursor may be behind, and the window may be over. So the stream itself is asked for the last event
  under each of the subjects of what is to be sent next, until a whole window of them has been found missing. A host
  needs to be allowed to read its own subjects for that, and no others.

Why the order is kept: everything goes over one connection in order, and no more than `WINDOW` events are under way. If
the stream's leader dies, all of those wait for it; the new one gets them again from the first that it does not have.
(Where a leader hands over in an orderly way to another one, some of those under way may fall between the two and be
stored after later ones: their `_id`s tell.)
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import msgspec
import nats.errors
from nats.js.api import Header, StorageType, StreamConfig
from nats.js.errors import BadRequestError

from observatory.forward.backoff import Backoff
from observatory.forward.cursor import Position
from observatory.forward.nats_connection import CONNECT_PATIENCE, NatsConnectionError, connect, drop
from observatory.forward.nats_subject import ROOT, STREAM, address

if TYPE_CHECKING:
    from collections.abc import Callable

    from nats.aio.client import Client as Nats
    from nats.aio.msg import Msg

    from observatory.forward.backlog import Backlog
    from observatory.forward.cursor import Cursor
    from observatory.forward.nats_connection import Access
    from observatory.forward.nats_subject import Address

WINDOW: Final = 512
"""Events that may be under way."""
WINDOW_BYTES: Final = 8 * 1024 * 1024
"""Their size, at most; a single one may be larger."""
ACK_PATIENCE: Final = 5.0
"""Seconds to wait for the oldest acknowledgement before the connection is given up."""
SAVE: Final = 0.2
"""Seconds between two writings of the cursor."""
HEADROOM: Final = 4096
"""Bytes of a message besides its payload."""


@dataclass(slots=True)
class _Item:
    line: bytes
    to: Address
    sent: float = 0.0
    acknowledged: bool = False


class NatsForwarder:
    """Sends what a backlog gives. `log` takes sentences."""

    def __init__(self, access: Access, cursor: Cursor, log: Callable[[str], None]) -> None:
        self._access = access
        self._cursor = cursor
        self._log = log
        self._items: dict[str, _Item] = {}
        """What is under way or to be sent again, oldest first, by message id."""
        self._bytes = 0
        self._move = asyncio.Event()
        self._trouble = ""
        self._unchecked = WINDOW
        """So many events are still to be found missing in the stream before no more are looked for."""
        self.delivered = 0
        """Events acknowledged since the start."""

    def more(self) -> None:
        """There is something to take from the backlog. For the loop's thread."""
        self._move.set()

    async def run(self, backlog: Backlog, stopping: asyncio.Event) -> None:
        """Send until `stopping` is set and what is under way has arrived, or could not for a while."""
        backoff, said = Backoff(), ""
        until: float | None = None
        while not stopping.is_set() or (self._items and (until is None or time.monotonic() < until)):
            if stopping.is_set() and until is None:
                until = time.monotonic() + ACK_PATIENCE
            before = self.delivered
            try:
                nc = await connect(self._access, f"_INBOX.{self._access.host}")
                try:
                    if said:
                        self._log("connected again")
                        said = ""
                    await self._session(nc, backlog, stopping)
                finally:
                    await drop(nc)
            except NatsConnectionError as error:
                if str(error) != said:
                    said = str(error)
                    self._log(f"{said}; trying again")
                if self.delivered > before:
                    backoff.reset()
                await backoff.pause(stopping)
        self._cursor.save()

    async def _session(self, nc: Nats, backlog: Backlog, stopping: asyncio.Event) -> None:
        """One connection's life. Raises NatsConnectionError at its end, unless all is done."""
        prefix = nc.new_inbox()
        self._trouble = ""
        await nc.subscribe(f"{prefix}.>", cb=self._on_ack)
        await nc.flush(int(CONNECT_PATIENCE))
        try:
            for item in list(self._items.values()):
                if not item.acknowledged:
                    await self._publish(nc, prefix, item)
            saved = time.monotonic()
            while not (stopping.is_set() and not self._items):
                self._move.clear()
                while not stopping.is_set() and (room := self._room()) and (lines := backlog.take(room)):
                    if self._unchecked > 0:
                        lines = await self._missing(nc, lines)
                    for line in lines:
                        await self._publish(nc, prefix, self._remember(line))
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._move.wait(), SAVE)
                if time.monotonic() - saved >= SAVE:
                    saved = time.monotonic()
                    self._cursor.save()
                self._watch(nc)
        except (nats.errors.Error, OSError, TimeoutError) as error:
            raise NatsConnectionError(f"lost the connection: {str(error) or type(error).__name__}") from error

    def _watch(self, nc: Nats) -> None:
        if self._trouble:
            raise NatsConnectionError(self._trouble)
        if not nc.is_connected:
            raise NatsConnectionError("lost the connection")
        oldest = next(iter(self._items.values()), None)
        if oldest is not None and time.monotonic() - oldest.sent > ACK_PATIENCE:
            raise NatsConnectionError(f"no acknowledgement for {ACK_PATIENCE:.0f} seconds")

    def _room(self) -> int:
        if self._items and self._bytes >= WINDOW_BYTES:
            return 0
        return min(64, WINDOW - len(self._items))

    def _remember(self, line: bytes) -> _Item:
        item = _Item(line, address(self._access.host, line))
        self._items[item.to.message] = item
        self._bytes += len(line)
        return item

    async def _publish(self, nc: Nats, prefix: str, item: _Item) -> None:
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
            self._trouble = f"no stream takes {item.to.subject}: there is none, or it has no leader just now"
            self._move.set()
            return
        if b'"error"' in message.data:
            answer = msgspec.json.decode(message.data)
            self._trouble = f"JetStream refuses: {answer.get('error', {}).get('description', 'no reason given')}"
            self._move.set()
            return
        item.acknowledged = True
        self.delivered += 1
        self._advance()

    def _advance(self) -> None:
        """Move the cursor over what has been acknowledged, as far as there is no gap."""
        last: Address | None = None
        while self._items:
            key = next(iter(self._items))
            item = self._items[key]
            if not item.acknowledged:
                break
            del self._items[key]
            self._bytes -= len(item.line)
            last = item.to
        if last is not None:
            self._cursor.position = Position(last.id, last.ts)
            self._move.set()

    async def _missing(self, nc: Nats, lines: list[bytes]) -> list[bytes]:
        """Those that the stream does not have: the others had arrived, and the cursor was not yet written."""
        try:
            addresses = [address(self._access.host, line) for line in lines]
            last = {subject: await _last(nc, subject) for subject in {to.subject for to in addresses}}
        except NatsConnectionError:
            for line in lines:  # they are not lost: what the stream has of them, it drops
                self._remember(line)
            raise
        missing = []
        for line, to in zip(lines, addresses, strict=True):
            there = last[to.subject]
            if there is None or to.id > there.id or to.ts > there.ts:
                missing.append(line)
            elif not self._items and not missing:
                self._cursor.position = Position(to.id, to.ts)
        found = len(lines) - len(missing)
        self._unchecked = WINDOW if found else self._unchecked - len(lines)
        if found:
            self._log(f"the stream has {found} events already that were not yet known to have arrived")
        return missing


_PREFIX_TOKENS: Final = 3
"""Tokens of an inbox before the message id: `_INBOX`, the host, and one of its own."""


async def _last(nc: Nats, subject: str) -> Position | None:
    """The last event that the stream has under a subject; `None` if it has none. Raises NatsConnectionError."""
    try:
        answer = await nc.request(f"$JS.API.DIRECT.GET.{STREAM}.{subject}", timeout=CONNECT_PATIENCE)
    except nats.errors.NoRespondersError:
        raise NatsConnectionError(f"there is no stream {STREAM} that can be asked what it has") from None
    except (nats.errors.Error, TimeoutError) as error:
        raise NatsConnectionError(
            f"the stream {STREAM} doesn't say what it has: {str(error) or type(error).__name__}"
        ) from error
    if answer.headers and "Status" in answer.headers:
        if answer.headers["Status"] == "404":
            return None
        raise NatsConnectionError(f"the stream {STREAM} doesn't say what it has: {answer.headers}")
    to = address("", answer.data)
    return Position(to.id, to.ts)


def _cut(line: bytes) -> bytes:
    """An event that is too long: the server's own fields, its names, and how long it was."""
    event = msgspec.json.decode(line, type=dict[str, Any])
    kept = {key: value for key, value in event.items() if key.startswith("_") and key not in {"_raw", "_value"}}
    for key in ("session_id", "tool_name", "tool_use_id", "cwd", "hook_event_name"):
        if isinstance(value := event.get(key), str) and len(value) <= HEADROOM:
            kept[key] = value
    return msgspec.json.encode({**kept, "_cut": len(line)})


async def make_stream(access: Access, replicas: int, retain: float | None) -> None:
    """Make the stream, or change it to this; `retain` in seconds. Raises NatsConnectionError."""
    nc = await connect(access, "_INBOX")
    jetstream = nc.jetstream(timeout=CONNECT_PATIENCE * 2)
    config = StreamConfig(
        name=STREAM,
        subjects=[f"{ROOT}.>"],
        storage=StorageType.FILE,
        num_replicas=replicas,
        max_age=retain or 0,
        duplicate_window=120,
        allow_direct=True,
    )
    try:
        try:
            await jetstream.add_stream(config)
        except BadRequestError:  # it's there, and is another one
            await jetstream.update_stream(config)
    except (nats.errors.Error, TimeoutError) as error:
        raise NatsConnectionError(f"can't make the stream {STREAM}: {str(error) or type(error).__name__}") from error
    finally:
        await drop(nc)
