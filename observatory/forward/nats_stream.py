"""What the stream has already: the last event under a subject, and which database is forwarded as a host."""

from __future__ import annotations

import asyncio
import socket
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import msgspec
import nats.errors
from nats.js.api import StorageType, StreamConfig
from nats.js.errors import BadRequestError

from observatory.feed.source import SourceError
from observatory.forward.cursor import Position
from observatory.forward.history import is_of
from observatory.forward.nats_connection import CONNECT_PATIENCE, NatsConnectionError, connect, drop
from observatory.forward.nats_subject import ROOT, STREAM, note_subject
from observatory.forward.threads import in_thread

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nats.aio.msg import Msg

    from observatory.feed.source import DatabaseSource
    from observatory.forward.nats_connection import Access, NatsConnection
    from observatory.forward.nats_subject import Address

SUBJECTS: Final = 4096
"""Subjects whose last event is remembered; one that is not is asked for again."""


class Note(msgspec.Struct, frozen=True):
    """Which database is forwarded as a host, from which machine, since when."""

    database: str
    machine: str
    since: str


class Held:
    """What the stream holds of a server's events, as it was when first asked: the last one under each subject.

    A database's events go out in their order, so what comes before the last one under its subject is there too. Which
    one that is, is told by its message id, which NATS keeps with it.
    """

    def __init__(self, nc: NatsConnection, host: str, source: DatabaseSource) -> None:
        self._nc = nc
        self._host = host
        self._source = source
        self._last: dict[str, Position | None] = {}
        self._forked: dict[str, bool] = {}

    async def has(self, addresses: Sequence[Address]) -> list[bool]:
        """Whether it has each of these. Raises NatsConnectionError if that can't be found out now."""
        if len(self._last) > SUBJECTS:
            self._last.clear()
            self._forked.clear()
        unknown = [subject for subject in dict.fromkeys(to.subject for to in addresses) if subject not in self._last]
        if unknown:
            found = await asyncio.gather(*(_last(self._nc, subject) for subject in unknown))
            self._last.update(zip(unknown, map(self._position, found), strict=True))
        return [await self._has(to) for to in addresses]

    async def _has(self, to: Address) -> bool:
        last = self._last[to.subject]
        if last is None or to.id > last.id:
            return False
        if to.subject not in self._forked:
            try:
                self._forked[to.subject] = not await in_thread(lambda: is_of(self._source, last))
            except SourceError as error:
                raise NatsConnectionError(f"can't compare the stream with the server: {error}") from error
        # If the database has lost events, and given their ids again, the newer ones are told by their time.
        return not self._forked[to.subject] or to.ts <= last.ts

    def _position(self, message: Msg | None) -> Position | None:
        if message is None:
            return None
        said = (message.headers or {}).get("Nats-Msg-Id", "")
        host, database, number, ts = (*said.split(".", 3), "", "", "", "")[:4]
        if host != self._host or not number.isdecimal():
            raise NatsConnectionError(
                f"the stream {STREAM} has something under {message.subject} that no forwarder has sent: {said!r}"
            )
        return Position(database, int(number), ts)


async def noted(nc: NatsConnection, host: str) -> Note | None:
    """Which database was last noted as forwarded as that host. Raises NatsConnectionError."""
    message = await _last(nc, note_subject(host))
    if message is None:
        return None
    try:
        return msgspec.json.decode(message.data, type=Note)
    except msgspec.DecodeError:
        return None


async def note(nc: NatsConnection, host: str, database: str) -> None:
    """Note that this database is forwarded as that host from now on. Raises NatsConnectionError."""
    here = Note(database, socket.gethostname(), datetime.now(UTC).isoformat(timespec="seconds"))
    try:
        answer = await nc.request(note_subject(host), msgspec.json.encode(here), timeout=CONNECT_PATIENCE)
    except (nats.errors.Error, TimeoutError) as error:
        raise NatsConnectionError(f"no stream takes {note_subject(host)}: {nc.reason(error)}") from error
    if b'"error"' in answer.data:
        raise NatsConnectionError(refusal(answer.data))


class _Error(msgspec.Struct):
    description: str = "no reason given"


class Acknowledgement(msgspec.Struct):
    """What JetStream says of an event: it is in a stream, or why not."""

    stream: str = ""
    seq: int = 0
    error: _Error | None = None


def refusal(answer: bytes) -> str:
    """Why an answer is no acknowledgement of the stream's, in a sentence; "" if it is one."""
    try:
        said = msgspec.json.decode(answer, type=Acknowledgement)
    except msgspec.DecodeError:
        return "what answers is no JetStream"
    if said.error is not None:
        return f"JetStream refuses: {said.error.description}"
    if said.stream != STREAM or said.seq <= 0:
        return f"what answers is not the stream {STREAM}"
    return ""


async def _last(nc: NatsConnection, subject: str) -> Msg | None:
    """The last message that the stream has under a subject; `None` if it has none. Raises NatsConnectionError."""
    try:
        answer = await nc.request(f"$JS.API.DIRECT.GET.{STREAM}.{subject}", timeout=CONNECT_PATIENCE)
    except nats.errors.NoRespondersError:
        raise NatsConnectionError(f"there is no stream {STREAM} that can be asked what it has") from None
    except (nats.errors.Error, TimeoutError) as error:
        raise NatsConnectionError(f"the stream {STREAM} doesn't say what it has: {nc.reason(error)}") from error
    headers = answer.headers or {}
    if headers.get("Status") == "404":
        return None
    if headers.get("Nats-Subject") != subject:
        raise NatsConnectionError(f"the stream {STREAM} doesn't say what it has of {subject}: {headers}")
    return answer


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
        raise NatsConnectionError(f"can't make the stream {STREAM}: {nc.reason(error)}") from error
    finally:
        await drop(nc)
