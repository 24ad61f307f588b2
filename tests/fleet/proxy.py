"""A proxy between a client and NATS that cuts, strips, delays and lies, on a thread of its own.

It knows NATS's protocol as far as it needs to, and so it lies only where the connection is in the open.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import socket
import struct
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PAYLOAD = re.compile(rb"(?:H?PUB|H?MSG) .*?(\d+)\r\n", re.IGNORECASE)
"""A line after which so many bytes follow."""


class Cut(Exception):  # noqa: N818 - what is done, and no fault
    """The connection is to be cut now."""


class Fault:
    """What is done to one connection; this one does nothing. Each message is a whole one of NATS's protocol."""

    open = True
    """Whether messages are looked at: else what passes is bytes, after the server's first line."""

    def info(self, info: dict[str, object]) -> dict[str, object]:
        """The server's first line, as the client gets it."""
        return info

    async def from_client(self, message: bytes, link: Link) -> bytes:
        """What the server gets. Raises Cut."""
        return message

    async def from_server(self, message: bytes, link: Link) -> bytes:
        """What the client gets. Raises Cut."""
        return message


class Link:
    """One connection through the proxy."""

    def __init__(self, client: asyncio.StreamWriter, server: asyncio.StreamWriter) -> None:
        self.client = client
        self.server = server
        self.sid = b"1"
        """The subscription that acknowledgements come by."""

    def answer(self, publication: bytes, payload: bytes) -> None:
        """Answer a publication in the server's place."""
        reply = publication.split(b"\r\n", 1)[0].split(b" ")[2]
        self.client.write(b"MSG %b %b %d\r\n%b\r\n" % (reply, self.sid, len(payload), payload))

    def answer_that_nobody_listens(self, publication: bytes) -> None:
        reply = publication.split(b"\r\n", 1)[0].split(b" ")[2]
        head = b"NATS/1.0 503\r\n\r\n"
        self.client.write(b"HMSG %b %b %d %d\r\n%b\r\n" % (reply, self.sid, len(head), len(head), head))


class Proxy:
    """It listens at a port of its own."""

    def __init__(self, port: int, tls: bool = False) -> None:
        self.upstream = port
        self.fault: Callable[[], Fault] = Fault
        """What is done to connections that come from now on."""
        self.refusing = False
        """Whether connections are ended as soon as they come."""
        self.connections = 0
        self.said: list[bytes] = []
        """The first that each client said; what it said after that is not kept."""
        self._tls = tls
        self._links: set[Link] = set()
        self._loop = asyncio.new_event_loop()
        self._listening = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        assert self._listening.wait(30)

    def next_fault(self) -> Fault:
        """What is done to a new connection."""
        return self.fault()

    def cut(self) -> None:
        """Cut all connections that there are."""
        self._loop.call_soon_threadsafe(self._cut_all)

    def close(self) -> None:
        self.refusing = True
        self.cut()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _cut_all(self) -> None:
        for link in self._links:
            _reset(link.client)
            _reset(link.server)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        listener = self._loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", 0, limit=1 << 25))
        self.port = listener.sockets[0].getsockname()[1]
        self._listening.set()
        self._loop.run_forever()
        listener.close()
        tasks = asyncio.all_tasks(self._loop)
        for task in tasks:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        if self.refusing:
            writer.close()
            return
        try:
            from_server, to_server = await asyncio.open_connection("127.0.0.1", self.upstream, limit=1 << 25)
        except OSError:
            writer.close()
            return
        link = Link(writer, to_server)
        self._links.add(link)
        fault = self.next_fault()
        number = len(self.said)
        self.said.append(b"")
        pumps = [
            asyncio.create_task(self._down(from_server, link, fault)),
            asyncio.create_task(self._up(reader, link, fault, number)),
        ]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            pass  # the proxy ends: asyncio's own callback would call that a fault
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
            self._links.discard(link)
            _reset(writer)
            _reset(to_server)

    async def _down(self, reader: asyncio.StreamReader, link: Link, fault: Fault) -> None:
        first = json.loads((await reader.readline()).partition(b" ")[2])
        if self._tls:
            first["tls_required"] = True  # this NATS takes both; a client of nats-py's goes by this word
        link.client.write(b"INFO " + json.dumps(fault.info(first)).encode() + b"\r\n")
        while message := await _read(reader, whole=fault.open and not self._tls):
            link.client.write(await fault.from_server(message, link))
            await link.client.drain()

    async def _up(self, reader: asyncio.StreamReader, link: Link, fault: Fault, number: int) -> None:
        while message := await _read(reader, whole=fault.open and not self._tls):
            self.said[number] = self.said[number] or message
            if message.startswith(b"SUB _INBOX") and b".* " not in message:
                link.sid = message.split()[-1]
            link.server.write(await fault.from_client(message, link))
            await link.server.drain()


async def _read(reader: asyncio.StreamReader, *, whole: bool) -> bytes:
    """The next message, or what bytes there are; nothing at the end."""
    if not whole:
        return await reader.read(65536)
    line = await reader.readline()
    found = PAYLOAD.fullmatch(line)
    return line + await reader.readexactly(int(found[1]) + 2) if found else line


def _reset(writer: asyncio.StreamWriter) -> None:
    """End a connection so that nothing of it still arrives."""
    with contextlib.suppress(OSError, AttributeError):
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


@contextlib.contextmanager
def proxy(port: int, *, tls: bool = False) -> Iterator[Proxy]:
    """Such a proxy before the NATS at a port of this machine. `tls`: clients are told that it wants TLS."""
    made = Proxy(port, tls)
    try:
        yield made
    finally:
        made.close()


def is_event(message: bytes) -> bool:
    return message.startswith(b"HPUB observatory.")


def is_question(message: bytes) -> bool:
    """Whether a client asks what the stream has."""
    return b"PUB $JS.API.DIRECT.GET." in message[:40]


class Strip(Fault):
    """Who sits in between says that this NATS has no TLS, and listens."""

    open = False

    def info(self, info: dict[str, object]) -> dict[str, object]:
        return {key: value for key, value in info.items() if not key.startswith("tls_")}


class CutAfter(Fault):
    """The connection is cut after so many bytes of the client's and so many of the server's."""

    open = False

    def __init__(self, client: int, server: int) -> None:
        self._left = {True: client, False: server}

    async def from_client(self, message: bytes, link: Link) -> bytes:
        return self._pass(message, link.server, up=True)

    async def from_server(self, message: bytes, link: Link) -> bytes:
        return self._pass(message, link.client, up=False)

    def _pass(self, message: bytes, to: asyncio.StreamWriter, *, up: bool) -> bytes:
        self._left[up] -= len(message)
        if self._left[up] < 0:
            to.write(message[: self._left[up]])  # what there was room for goes out, cut in the middle
            raise Cut
        return message


class Hang(Fault):
    """After so many bytes of the server's, nothing passes any more, and nothing says so."""

    open = False

    def __init__(self, after: int) -> None:
        self._left = after

    async def from_server(self, message: bytes, link: Link) -> bytes:
        self._left -= len(message)
        if self._left < 0:
            await asyncio.Event().wait()
        return message


class Delay(Fault):
    """Everything takes so long in either direction."""

    open = False

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    async def from_client(self, message: bytes, link: Link) -> bytes:
        await asyncio.sleep(self._seconds)
        return message

    async def from_server(self, message: bytes, link: Link) -> bytes:
        await asyncio.sleep(self._seconds)
        return message


class CutAtQuestion(Fault):
    """The connection is cut when the client asks what the stream has, for the n-th time."""

    def __init__(self, number: int = 1) -> None:
        self._left = number

    async def from_client(self, message: bytes, link: Link) -> bytes:
        if is_question(message):
            self._left -= 1
            if not self._left:
                raise Cut
        return message


class SwallowAcknowledgements(Fault):
    """Events arrive, and the client never hears of it; after so many it's cut."""

    def __init__(self, most: int) -> None:
        self._left = most

    async def from_server(self, message: bytes, link: Link) -> bytes:
        if b'"stream"' not in message or b"NATS/1.0" in message:
            return message
        self._left -= 1
        if self._left <= 0:
            raise Cut
        return b""


class Lie(Fault):
    """After so many events, the next one does not reach the server, and is answered with something else."""

    def __init__(self, after: int, answer: bytes | None) -> None:
        self._left = after
        self._answer = answer

    async def from_client(self, message: bytes, link: Link) -> bytes:
        if not is_event(message):
            return message
        self._left -= 1
        if self._left >= 0:
            return message
        if self._answer is None:
            link.answer_that_nobody_listens(message)
        else:
            link.answer(message, self._answer)
        return b""


LIES: tuple[bytes | None, ...] = (
    None,
    b'{"error":{"code":503,"description":"insufficient resources"},"stream":"OBSERVATORY","seq":0}',
    b"",
    b"+OK",
    b'{"stream":"ANOTHER","seq":7}',
)
"""Answers to an event that did not arrive."""


class Twice(Fault):
    """Every event reaches the server twice."""

    async def from_client(self, message: bytes, link: Link) -> bytes:
        return message + message if is_event(message) else message


class Forbid(Fault):
    """After so many events the client is told that it may not publish; and the event does not arrive."""

    def __init__(self, after: int) -> None:
        self._left = after

    async def from_client(self, message: bytes, link: Link) -> bytes:
        if not is_event(message):
            return message
        self._left -= 1
        if self._left >= 0:
            return message
        subject = message.split(b" ", 2)[1]
        link.client.write(b"-ERR 'Permissions Violation for Publish to \"%b\"'\r\n" % subject)
        return b""


class SayNothingIsThere(Fault):
    """Whatever the client asks of the stream, the answer is that there is nothing."""

    async def from_server(self, message: bytes, link: Link) -> bytes:
        if not message.startswith(b"HMSG ") or b"Nats-Msg-Id" not in message:
            return message
        words = message.split(b"\r\n", 1)[0].split(b" ")
        head = b"NATS/1.0 404 Message Not Found\r\n\r\n"
        return b"HMSG %b %b %d %d\r\n%b\r\n" % (words[1], words[2], len(head), len(head), head)
