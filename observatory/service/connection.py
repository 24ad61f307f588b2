"""One connection: its peer, what it has said, and what is still to be said to it."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from observatory.events import trusted_fields
from observatory.wire import RequestReader

if TYPE_CHECKING:
    from observatory.identity import PeerCredentials


class Connection:
    """A peer's connection. Its credentials were taken when it was accepted and belong to it alone."""

    __slots__ = ("closing", "drains", "out", "peer", "reader", "registered", "sock", "trusted", "uid", "waiting")

    def __init__(self, sock: socket.socket, peer: PeerCredentials | None) -> None:
        self.sock = sock
        self.peer = peer
        self.uid = None if peer is None else peer.uid
        self.trusted = trusted_fields(peer)
        self.reader = RequestReader()
        self.out = b""
        """What the kernel has not taken yet."""
        self.waiting = 0
        """Events of this connection that are not committed yet."""
        self.registered = 0
        """What the selector watches for."""
        self.closing = False
        """To be closed as soon as everything is said."""
        self.drains = 0
        """Bytes that are still read and thrown away, so that the peer can read our last words."""

    def say(self, data: bytes) -> None:
        """Send now what the kernel takes and keep the rest. Raises OSError if the peer is gone."""
        if self.out:
            self.out += data
            return
        try:
            sent = self.sock.send(data, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)
        except BlockingIOError:
            sent = 0
        if sent < len(data):
            self.out = data[sent:]
