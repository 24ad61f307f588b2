"""Events of many hosts, read from NATS JetStream.

Their place is their sequence number in the stream. `_host` is put into each: the host that NATS let publish it, by
its subject. Whatever a host wrote there itself is dropped: it's NATS that says who it is. All else in the event is
what that host says, its kernel's word included.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections import deque
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import msgspec
import nats.errors
from nats.js.api import ConsumerConfig, DeliverPolicy
from nats.js.errors import NotFoundError

from observatory.errors import ExitStatus, ObservatoryError
from observatory.events import Event
from observatory.feed.source import SourceError, is_of_session
from observatory.forward.nats_connection import CONNECT_PATIENCE, connect, drop
from observatory.forward.nats_subject import ROOT, STREAM, host_of, is_event
from observatory.reading import read_event
from observatory.store.query import Query, first

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Iterator

    from observatory.client.client import Parameters
    from observatory.forward.nats_connection import Access, NatsConnection

AHEAD: Final = 4096
"""Events that are read ahead of whoever takes them, at most."""
LATEST: Final = 200_000
"""Events of all that are looked at for those of one session: a stream has no index of them."""
_END: Final = object()


class NatsSource:
    """The events of all hosts in the stream that the reader's account may see."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self.name = self.path = ",".join(access.servers)

    def newest(self) -> int:
        """The newest event's sequence number. Raises SourceError."""
        return asyncio.run(self._newest())

    def follow(self, after: int | None, limit: int) -> Iterator[tuple[int, bytes]]:
        """Events after that one, or the newest, and then what comes. Raises SourceError."""
        return self._read(after, limit, None)

    def between(self, after: int, through: int) -> Iterator[tuple[int, bytes]]:
        """The events of these sequence numbers. Raises SourceError."""
        return self._read(after, 0, through) if through > after else iter(())

    def of_session(self, host: str | None, uid: int | None, session: str, limit: int) -> Iterator[tuple[int, bytes]]:
        """The newest events of a session of a host's user, of the newest `LATEST` in the stream. Raises SourceError."""
        newest, of_it = self.newest(), is_of_session(host, uid, session)
        lines = self.between(max(0, newest - LATEST), newest)
        return iter(deque((found for found in lines if of_it(found[1])), limit))

    def lines(self, parameters: Parameters) -> Iterator[bytes]:
        """The events that these parameters of `/events` select, as a Client gives them. Raises ObservatoryError."""
        limit, after, uid = (
            None if (value := first(parameters, name)) is None else int(value) for name in ("limit", "after", "user")
        )
        matches = _filter(Query.of(parameters, uid))
        newest_only = limit is not None and after is None
        try:
            last = self.newest()
            past: list[bytes] = []
            if newest_only or "follow" not in parameters:
                for _, line in self.between(after or 0, last):
                    if matches(line):
                        past.append(line)
                        if newest_only and len(past) > (limit or 0):
                            del past[0]
                        elif not newest_only and limit is not None and len(past) == limit:
                            break
                yield from past
                after = last
            if "follow" in parameters:
                left = limit if limit is not None and not newest_only else None
                for _, line in self.follow(after or 0, 0):
                    if left == 0:
                        return
                    if matches(line):
                        yield line
                        left = None if left is None else left - 1
        except SourceError as error:
            raise ObservatoryError(str(error), ExitStatus.UNAVAILABLE) from error

    def events(self, parameters: Parameters) -> Iterator[dict[str, Any]]:
        """The same as `lines`, read. Raises ObservatoryError."""
        return self.read(self.lines(parameters))

    @staticmethod
    def read(lines: Iterable[bytes]) -> Iterator[dict[str, Any]]:
        """Events from their lines, which `named` has written."""
        return map(read_event, lines)

    def _read(self, after: int | None, limit: int, through: int | None) -> Iterator[tuple[int, bytes]]:
        """Read in a thread of its own, whose loop NATS needs, and hand over in order."""
        found: queue.Queue[Any] = queue.Queue(AHEAD)
        stopping = threading.Event()

        async def fill() -> None:
            async for item in self._messages(after, limit, through):
                while not stopping.is_set():
                    try:
                        found.put_nowait(item)
                        break
                    except queue.Full:
                        await asyncio.sleep(0.01)
                if stopping.is_set():
                    return

        def run() -> None:
            end: object = _END
            try:
                asyncio.run(fill())
            except SourceError as error:
                end = error
            while not stopping.is_set():
                try:
                    found.put(end, timeout=0.1)
                except queue.Full:
                    continue
                return

        threading.Thread(target=run, name="nats", daemon=True).start()
        try:
            while True:
                item = found.get()
                if item is _END:
                    return
                if isinstance(item, SourceError):
                    raise item
                yield item
        finally:
            stopping.set()

    async def _newest(self) -> int:
        nc = await self._connect()
        try:
            return (await self._stream(nc))[1]
        finally:
            await drop(nc)

    async def _connect(self) -> NatsConnection:
        try:
            return await connect(self._access, f"_INBOX.{self._access.host}")
        except ObservatoryError as error:
            raise SourceError(str(error)) from error

    async def _stream(self, nc: NatsConnection) -> tuple[int, int]:
        """The first and the last sequence number of the stream. Raises SourceError."""
        try:
            state = (await nc.jetstream(timeout=CONNECT_PATIENCE).stream_info(STREAM)).state
        except NotFoundError:
            raise SourceError(
                f"{self.name} has no stream {STREAM}: `observatory forward --make-stream 1` makes it"
            ) from None
        except (nats.errors.Error, TimeoutError) as error:
            raise SourceError(f"{self.name} does not describe the stream {STREAM}: {nc.reason(error)}") from error
        return state.first_seq, state.last_seq

    async def _messages(self, after: int | None, limit: int, through: int | None) -> AsyncIterator[tuple[int, bytes]]:
        nc = await self._connect()
        try:
            first, last = await self._stream(nc)
            start = max(first, (last - limit if after is None else after) + 1)
            if through is not None:
                through = min(through, last)
                if start > through:
                    return
            config = ConsumerConfig(deliver_policy=DeliverPolicy.BY_START_SEQUENCE, opt_start_seq=max(1, start))
            subscription = await nc.jetstream(timeout=CONNECT_PATIENCE).subscribe(
                f"{ROOT}.>", stream=STREAM, ordered_consumer=True, config=config
            )
            while nc.is_connected:
                try:
                    message = await subscription.next_msg(timeout=1.0)
                except TimeoutError:
                    if nc.refusals:
                        raise SourceError(f"{self.name}: {nc.refusals[0]}") from None
                    continue
                place = message.metadata.sequence.stream
                if through is not None and place > through:
                    return
                if is_event(message.subject):
                    yield place, named(host_of(message.subject), message.data)
                if place == through:
                    return
        except (nats.errors.Error, OSError) as error:
            raise SourceError(f"lost {self.name}: {nc.reason(error)}") from error
        finally:
            await drop(nc)


def named(host: str, line: bytes) -> bytes:
    """An event with the host that NATS authenticated, beside what that host says of who sent it."""
    try:
        event = read_event(line)
    except (msgspec.DecodeError, RecursionError):
        event = {"_raw": line.decode(errors="backslashreplace")}
    head = {key: event.pop(key) for key in ("_id", "_ts", "_event") if key in event}
    event.pop("_host", None)
    return msgspec.json.encode({**head, "_host": host, **event})


def _filter(query: Query) -> Callable[[bytes], bool]:
    """Whether an event's line is one of those asked for."""
    if query == Query():
        return lambda _line: True
    matches = query.predicate()

    def look(line: bytes) -> bool:
        said = read_event(line)
        uid = said.get("_peer_uid")
        name, session, tool = (_text(said.get(field)) for field in ("_event", "session_id", "tool_name"))
        time, uid = _microseconds(said.get("_ts")), uid if type(uid) is int else None
        return matches(Event(0, time, name or "", uid, session, tool, line))

    return look


def _text(value: object) -> str | None:
    """What is no text can't be asked for."""
    return value if type(value) is str else None


def _microseconds(text: object) -> int:
    """The time of an event, since the epoch; 0 for what is no time."""
    try:
        return round(datetime.fromisoformat(str(text)).timestamp() * 1_000_000)
    except ValueError:
        return 0
