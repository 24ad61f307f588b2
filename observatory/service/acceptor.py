"""Taking in those who connect: each gets its credentials and a seat, or is turned away.

Nothing that a peer says is looked at here, so that all who wait can be taken in at once, whatever they bring: there is
one queue in the kernel for all users, and who finds it full does not get in.
"""

from __future__ import annotations

import contextlib
import errno
import os
import resource
import socket
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from observatory.http.parser import Refusal
from observatory.identity import accepted_credentials, accepted_uid
from observatory.service.connection import SENDS_BY_FLAG, Connection
from observatory.service.descriptors import open_files_limit
from observatory.service.limits import (
    ACCEPT_PAUSE,
    ACCEPTS_PER_TURN,
    FEW_GROUPS,
    GROUP_SIZE,
    RESERVED_DESCRIPTORS,
)
from observatory.service.poller import READ
from observatory.service.states import CLOSE
from observatory.sessions.lifetimes import SHARE_OF_DESCRIPTORS

if TYPE_CHECKING:
    from collections.abc import Callable

    from observatory.listening import Listener
    from observatory.service.connection import Connections
    from observatory.service.loop import Loop
    from observatory.service.notices import Notices
    from observatory.service.quota import Account

_LONGEST_HOLD: Final = 64
_TOLD: Final = 16
_ENOUGH: Final = 3072
"""How many are accepted in a turn in which, among those who are turned away, somebody else has come: to take in a whole
flood first would have them wait for tens of milliseconds, and with too few the queue would be full meanwhile.
"""
_UNIX, _STREAM = int(socket.AF_UNIX), int(socket.SOCK_STREAM)
# The class in C below socket.socket, which needs 4 us less to accept and to close. It has all that is used here.
_ADOPT: Callable[[int, int, int, int], socket.socket] = socket.SocketType  # type: ignore[assignment]
_TOO_MANY: Final = Refusal(HTTPStatus.SERVICE_UNAVAILABLE, "Your user has too many connections to this server.")
_EXHAUSTED: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


class Acceptor:
    """Accepts from one listening socket. Each new connection that has got a seat queues for its part of a turn."""

    def __init__(
        self,
        loop: Loop,
        listener: Listener,
        connections: Connections,
        notice: Notices,
        turned_away: Callable[[Account], None],
    ) -> None:
        self._loop = loop
        self._descriptor = listener.sock.fileno()
        # What socket.accept() itself calls: without the object that it makes of a descriptor, for which see _ADOPT.
        self._accept: Callable[[], tuple[int, object]] = listener.sock._accept  # type: ignore[attr-defined]
        self._connections = connections
        self._account_of = connections.accounts.of
        self._take_seat = connections.seats.take
        self._open = connections.open
        self._arrived = connections.arrived
        self._notice = notice
        self._turned_away = turned_away
        self.accepting = False
        self.ready = False
        """Somebody waits."""
        self._at_once = 1
        self._hold = self._backoff = 0

    def start(self) -> None:
        """Begin to accept, or go on with it."""
        self.accepting = True
        self._loop.poller.watch(self._descriptor, READ, self._on_ready)

    def stop(self) -> None:
        """Accept no more. Does nothing if that's so."""
        if self.accepting:
            self.accepting = False
            self._loop.poller.forget(self._descriptor)

    def _on_ready(self, _bits: int) -> None:
        self.ready = True

    def accept(self, *, alone: bool = False) -> int:
        """Accept all who wait; how many there were. Of an account's connections for which there are no seats a few are
        told so, and the others are closed.

        To find that nobody waits any more costs as much as to accept one. So where a turn has nothing else to do
        (`alone`) no more are accepted than there were lately, and it's found out now and then whether there are more.
        """
        self.ready = False
        if not self.accepting:
            return 0
        told: dict[Account, int] = {}
        closed: set[int | None] = set()  # uids of whom no more are told
        count, others = 0, False
        most = self._at_once if alone else ACCEPTS_PER_TURN
        accept, uid_of = self._accept, accepted_uid
        for count in range(most):
            try:
                descriptor, _ = accept()
            except BlockingIOError:
                self._at_once = count or 1
                self._hold = self._backoff = min(_LONGEST_HOLD, 2 * self._backoff + 1)
                return count
            except ConnectionAbortedError:
                continue
            except OSError as error:
                self._cannot_accept(error)
                return count
            if not SENDS_BY_FLAG:
                os.set_blocking(descriptor, False)
            sock = _ADOPT(_UNIX, _STREAM, 0, descriptor)
            if not told:
                self._accept_one(sock, told)
                continue
            uid = uid_of(sock)
            if uid in closed:
                sock.close()
            elif told.get(self._account_of(uid), 0) >= _TOLD:
                closed.add(uid)
                sock.close()
            elif self._accept_one(sock, told):
                others = True
            if others and count + 1 >= _ENOUGH:
                break
        if self._hold:
            self._hold -= 1
        else:
            self._at_once = min(ACCEPTS_PER_TURN, 2 * most)
            self._backoff = 0
        return count + 1

    def _accept_one(self, sock: socket.socket, told: dict[Account, int]) -> bool:
        """Whether it is one of an account of which none is turned away."""
        peer = accepted_credentials(sock)
        uid = None if peer is None else peer.uid
        connection = Connection(sock=sock, peer=peer, uid=uid, account=self._account_of(uid))
        if not self._take_seat(connection.account, 1):
            told[connection.account] = times = told.get(connection.account, 0) + 1
            if times == _TOLD:
                self._turned_away(connection.account)
            self._turn_away(connection)
            return False
        self._open.add(connection)
        self._arrived.add(connection)
        if peer is not None and peer.groups is not None and len(peer.groups) > FEW_GROUPS:
            connection.groups_size = GROUP_SIZE * len(peer.groups)
            self._connections.charge(connection)
        return connection.account not in told

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
    most = open_files_limit() if hard == resource.RLIM_INFINITY else hard
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
        soft = most
    with contextlib.suppress(OSError):
        soft -= len(os.listdir("/dev/fd"))
    return max(8, soft - soft // SHARE_OF_DESCRIPTORS - min(RESERVED_DESCRIPTORS, soft // 2))
