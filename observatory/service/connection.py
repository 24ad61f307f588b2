"""One connection: its peer, what it has said, and what is still to be said to it."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Final

import msgspec

from observatory.http.parser import RequestReader

if TYPE_CHECKING:
    from observatory.identity import PeerCredentials
    from observatory.service.event_stream import EventStream

# As plain numbers: an `or` of two members of an enumeration takes longer than the system call.
DONT_WAIT: Final = int(socket.MSG_DONTWAIT)
PEEK: Final = int(socket.MSG_DONTWAIT) | int(socket.MSG_PEEK)
"""To look at what a new connection says and take it when it's answered. Taking it tells the peer that there is room
again (`unix_write_space`, net/unix/af_unix.c): one that waits for its answer would wake and go back to sleep."""
SEND: Final = int(socket.MSG_DONTWAIT) | int(getattr(socket, "MSG_NOSIGNAL", 0))


class Connection(RequestReader, eq=False, kw_only=True):
    """A peer's connection: what it says, as `RequestReader` has it, and what is still to be said to it.

    Its credentials were taken when it was accepted and are its own.
    """

    sock: socket.socket
    peer: PeerCredentials | None
    uid: int | None
    out: bytearray = msgspec.field(default_factory=bytearray)
    """What is to be sent as soon as the kernel takes it."""
    stream: EventStream | None = None
    """The answer that is being given."""
    untaken: int = 0
    """Bytes that were read and are on the socket still; see `PEEK`."""
    waiting: int = 0
    """Events of this connection that are not committed yet."""
    taken: int = 0
    """Other requests that were taken up in this turn."""
    fresh: bool = True
    """Nothing has been answered yet."""
    watched: int = 0
    """What the poller waits for."""
    charged: int = 0
    """Bytes that the peer's user holds by this connection."""
    last: bool = False
    """To be closed when everything is said."""
    draining: int = 0
    """Bytes that are still read and thrown away before it's closed."""
    settled: bool = False
    """It did not end within the turn of its beginning: it may be in any of the server's lists."""
    closed: bool = False

    def say(self, data: bytes) -> None:
        """Send what the kernel takes now and keep the rest. Raises OSError if the peer is gone."""
        if self.out:
            self.out += data
            return
        try:
            sent = self.sock.send(data, SEND)
        except BlockingIOError:
            sent = 0
        if sent < len(data):
            self.out += memoryview(data)[sent:]

    def flush(self) -> int:
        """Send what was kept; how much of it the kernel took. Raises OSError if the peer is gone."""
        try:
            sent = self.sock.send(self.out, SEND)
        except BlockingIOError:
            return 0
        del self.out[:sent]
        return sent
