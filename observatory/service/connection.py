"""One connection: its peer, what it has said, and what is still to be said to it."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Final

from observatory.wire import RequestReader

if TYPE_CHECKING:
    from observatory.identity import PeerCredentials
    from observatory.service.streams import EventStream

# As plain numbers: an `or` of two members of an enumeration takes longer than the system call.
DONT_WAIT: Final = int(socket.MSG_DONTWAIT)
PEEK: Final = int(socket.MSG_DONTWAIT) | int(socket.MSG_PEEK)
"""To look at what a new connection says and take it when it's answered. Taking it tells the peer that there is room
again (`unix_write_space`, net/unix/af_unix.c): one that waits for its answer would wake and go back to sleep."""
SEND: Final = int(socket.MSG_DONTWAIT) | int(getattr(socket, "MSG_NOSIGNAL", 0))


class Connection(RequestReader):
    """A peer's connection: what it says, as `RequestReader` has it, and what is still to be said to it.

    Its credentials were taken when it was accepted and are its own.
    """

    __slots__ = (
        "charged",
        "closed",
        "draining",
        "fresh",
        "last",
        "out",
        "peer",
        "settled",
        "sock",
        "stream",
        "taken",
        "uid",
        "untaken",
        "waiting",
        "watched",
    )

    def __init__(self, sock: socket.socket, peer: PeerCredentials | None) -> None:
        super().__init__()
        self.sock = sock
        self.peer = peer
        self.uid = None if peer is None else peer.uid
        self.out = bytearray()
        """What is to be sent as soon as the kernel takes it."""
        self.stream: EventStream | None = None
        """The answer that is being given."""
        self.untaken = 0
        """Bytes that were read and are on the socket still; see `PEEK`."""
        self.waiting = 0
        """Events of this connection that are not committed yet."""
        self.taken = 0
        """Other requests that were taken up in this turn."""
        self.fresh = True
        """Nothing has been answered yet."""
        self.watched = 0
        """What the poller waits for."""
        self.charged = 0
        """Bytes that the peer's user holds by this connection."""
        self.last = False
        """To be closed when everything is said."""
        self.draining = 0
        """Bytes that are still read and thrown away before it's closed."""
        self.settled = False
        """It did not end within the turn of its beginning: it may be in any of the server's lists."""
        self.closed = False

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
