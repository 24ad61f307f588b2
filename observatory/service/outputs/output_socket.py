"""Events for whoever is connected to the output socket, as far as they may read them.

A reader cannot hold up the server: one that leaves too much unread is dropped.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from observatory.audience import scope
from observatory.identity import peer_credentials
from observatory.service.connection import DONT_WAIT, SEND
from observatory.service.notices import Notices
from observatory.service.outputs.standard_output import json_lines
from observatory.service.poller import READ, WRITE
from observatory.service.quota import Quota

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from observatory.audience import Audience
    from observatory.events import Event
    from observatory.listening import Listener
    from observatory.service.loop import Loop
    from observatory.service.quota import Accounts

READER_BUFFER: Final = 1024 * 1024
"""Bytes that wait for one reader of the output socket at most, besides what the kernel holds."""
READERS: Final = 256
"""Readers of the output socket at once; each user may be so many of them as `Quota` says."""


class _Reader:
    """Someone connected to the output socket."""

    __slots__ = ("account", "out", "scope", "sock", "uid")

    def __init__(self, sock: socket.socket, audience: Audience, accounts: Accounts) -> None:
        peer = peer_credentials(sock)
        self.sock = sock
        self.uid = None if peer is None else peer.uid
        self.account = accounts.of(self.uid)
        self.scope = scope(audience, peer)
        self.out = b""


class SocketOutput:
    """Events as JSON lines for everyone who connects, from then on, as far as they may read them.

    Whoever has connected before an event was said gets it, whichever of the two connections is seen first.
    """

    def __init__(
        self, loop: Loop, listener: Listener, audience: Audience, accounts: Accounts, log: Callable[[str], None]
    ) -> None:
        self._loop = loop
        self._listener = listener
        self._audience = audience
        self._notice = Notices(log)
        self._readers: dict[int, _Reader] = {}
        self._accounts = accounts
        self._seats = Quota(READERS, accounts.privileged)
        loop.watch(listener.sock.fileno(), self._accept_all)

    def publish(self, events: list[Event]) -> None:
        """Tell every reader what it may know."""
        self._accept_all()
        for reader in list(self._readers.values()):
            if reader.scope.everything:
                data = json_lines(events)
            else:
                data = json_lines([event for event in events if reader.scope.holds(event.uid)])
            if data:
                self._say(reader, data)

    def finish(self, seconds: float) -> None:
        """Take no one in any more, and give those who are here the time to take what waits for them."""
        until = time.monotonic() + seconds
        self._loop.unwatch(self._listener.sock.fileno())
        self._listener.remove()
        while any(reader.out for reader in self._readers.values()) and (left := until - time.monotonic()) > 0:
            self._loop.turn(left)
        for reader in list(self._readers.values()):
            self._drop(reader)

    def _accept_all(self) -> None:
        """Take in who waits, but no more than there are places: who is turned away may come again at once."""
        for _ in range(READERS):
            if not self._accept():
                return

    def _accept(self) -> bool:
        """Whether somebody came."""
        try:
            sock, _ = self._listener.sock.accept()
        except OSError:  # nobody, gone again, or no descriptor is left just now: who waits still waits
            return False
        sock.setblocking(False)  # the flag of each send does not hold everywhere: see SENDS_BY_FLAG
        reader = _Reader(sock, self._audience, self._accounts)
        if not self._seats.take(reader.account, 1):
            sock.close()
            return True
        self._readers[sock.fileno()] = reader
        self._loop.poller.watch(sock.fileno(), READ, lambda _bits: self._on_ready(reader))
        return True

    def _say(self, reader: _Reader, data: bytes) -> None:
        if len(reader.out) + len(data) > READER_BUFFER and reader.out:
            self._notice("slow", f"a reader of the output socket, uid {reader.uid}, was too slow and has been dropped")
            self._drop(reader)
            return
        watched = bool(reader.out)
        reader.out += data
        self._send(reader)
        if reader.out and not watched:
            self._loop.poller.change(reader.sock.fileno(), READ | WRITE)

    def _send(self, reader: _Reader) -> None:
        try:
            sent = reader.sock.send(reader.out, SEND)
        except BlockingIOError:
            return
        except OSError:
            self._drop(reader)
            return
        reader.out = reader.out[sent:]

    def _on_ready(self, reader: _Reader) -> None:
        try:
            if not reader.sock.recv(4096, DONT_WAIT):
                self._drop(reader)
                return
        except BlockingIOError:
            pass
        except OSError:
            self._drop(reader)
            return
        if reader.out:
            self._send(reader)
            if not reader.out and reader.sock.fileno() in self._readers:
                self._loop.poller.change(reader.sock.fileno(), READ)

    def _drop(self, reader: _Reader) -> None:
        descriptor = reader.sock.fileno()
        if self._readers.pop(descriptor, None) is None:
            return
        self._loop.poller.forget(descriptor)
        reader.sock.close()
        reader.out = b""
        self._seats.give_back(reader.account, 1)
