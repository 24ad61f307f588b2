"""Taking in those who connect: each gets its credentials and a seat, or is turned away."""

from __future__ import annotations

import contextlib
import errno
import os
import resource
import socket
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from observatory.http.parser import Refusal
from observatory.identity import accepted_credentials
from observatory.service.connection import Connection
from observatory.service.limits import ACCEPT_PAUSE, ACCEPTS_PER_TURN, RESERVED_DESCRIPTORS
from observatory.service.poller import READ
from observatory.service.states import CLOSE
from observatory.sessions.lifetimes import SHARE_OF_DESCRIPTORS

if TYPE_CHECKING:
    from collections.abc import Callable

    from observatory.listening import Listener
    from observatory.service.connection import Connections
    from observatory.service.loop import Loop
    from observatory.service.notices import Notices
    from observatory.service.requests import Requests

_UNIX, _STREAM = int(socket.AF_UNIX), int(socket.SOCK_STREAM)
# The class in C below socket.socket, which needs 4 us less to accept and to close. It has all that is used here.
_ADOPT: Callable[[int, int, int, int], socket.socket] = socket.SocketType  # type: ignore[assignment]
_TOO_MANY: Final = Refusal(HTTPStatus.SERVICE_UNAVAILABLE, "Your user has too many connections to this server.")
_EXHAUSTED: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


class Acceptor:
    """Accepts from one listening socket, and hands each new connection that has got a seat to `requests`."""

    def __init__(
        self,
        loop: Loop,
        listener: Listener,
        connections: Connections,
        requests: Requests,
        notice: Notices,
    ) -> None:
        self._loop = loop
        self._descriptor = listener.sock.fileno()
        # What socket.accept() itself calls: without the object that it makes of a descriptor, for which see _ADOPT.
        self._accept: Callable[[], tuple[int, object]] = listener.sock._accept  # type: ignore[attr-defined]
        self._connections = connections
        self._take_seat = connections.seats.take
        self._open = connections.open
        self._peek_first_request = requests.peek_first_request
        self._notice = notice
        self.accepting = False
        self._at_once = 1
        self._hold = self._backoff = 0

    def start(self) -> None:
        """Begin to accept, or go on with it."""
        self.accepting = True
        self._loop.poller.watch(self._descriptor, READ, self.accept)

    def stop(self) -> None:
        """Accept no more. Does nothing if that's so."""
        if self.accepting:
            self.accepting = False
            self._loop.poller.forget(self._descriptor)

    def accept(self, _bits: int = READ) -> int:
        """Accept some of those who wait; how many there were."""
        at_once = self._at_once
        for count in range(at_once):
            try:
                descriptor, _ = self._accept()
            except BlockingIOError:
                # To find that nobody waits costs as much as to accept one: so it's not found out in every turn.
                self._at_once = count or 1
                self._hold = self._backoff = min(64, 2 * self._backoff + 1)
                return count
            except ConnectionAbortedError:
                continue
            except OSError as error:
                self._cannot_accept(error)
                return count
            self._accept_one(descriptor)
        if self._hold:
            self._hold -= 1
        else:
            self._at_once = min(ACCEPTS_PER_TURN, 2 * at_once)
            self._backoff = 0
        return at_once

    def _accept_one(self, descriptor: int) -> None:
        sock = _ADOPT(_UNIX, _STREAM, 0, descriptor)
        peer = accepted_credentials(sock)
        connection = Connection(sock=sock, peer=peer, uid=None if peer is None else peer.uid)
        if not self._take_seat(connection.uid, 1):
            self._turn_away(connection)
            return
        self._open.add(connection)
        self._peek_first_request(connection)

    def _turn_away(self, connection: Connection) -> None:
        self._notice("seats", f"uid {connection.uid} has too many connections: a new one was refused")
        connection.send_last(_TOO_MANY)
        self._connections.move(connection, CLOSE)
        connection.sock.close()

    def _cannot_accept(self, error: OSError) -> None:
        if error.errno not in _EXHAUSTED:
            raise error
        self._notice("accept", f"cannot accept connections just now: {error.strerror}")
        self.stop()
        if not self._connections.ending:
            self._loop.call_later(ACCEPT_PAUSE, self._accept_again)

    def _accept_again(self) -> None:
        if not self.accepting and not self._connections.ending:
            self.start()


def seats() -> int:
    """How many connections there may be: as many descriptors as the hard limit gives, less those needed otherwise.

    Raises this process's own limit as far as it goes.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        soft = hard
    if soft == resource.RLIM_INFINITY:
        soft = 1 << 20
    with contextlib.suppress(OSError):
        soft -= len(os.listdir("/dev/fd"))
    return max(8, soft - soft // SHARE_OF_DESCRIPTORS - RESERVED_DESCRIPTORS)
