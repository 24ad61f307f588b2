"""One connection, and all of them: where each is by its state, and what it holds of what its user may hold.

Whatever happens to a connection, `Connections` is told of it: it's the only one that moves, watches, charges or closes
one. What a turn leaves behind is written down in `observatory.service.invariants`.
"""

from __future__ import annotations

import contextlib
import socket
import sys
import time
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, TypeAlias

from observatory.events import Said
from observatory.http.parser import Refusal, Request, RequestReader
from observatory.http.responses import refusal_answer
from observatory.service.limits import BYTES_PER_READ, DEADLINE, FOLLOWER_BUFFER, MEMORY
from observatory.service.poller import READ, WRITE
from observatory.service.quota import Accounts, FairQueue, Quota
from observatory.service.states import (
    CLOSE,
    CLOSED,
    DEFER,
    FOLLOWING,
    NEW,
    QUEUED,
    READING,
    STREAMING,
    TIMED,
    TRANSITIONS,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from observatory.identity import PeerCredentials
    from observatory.service.event_stream import EventStream
    from observatory.service.notices import Notices
    from observatory.service.poller import Poller
    from observatory.service.quota import Account
    from observatory.service.states import Occasion, State

# As plain numbers: an `or` of two members of an enumeration takes longer than the system call.
DONT_WAIT: Final = int(socket.MSG_DONTWAIT)
PEEK: Final = int(socket.MSG_DONTWAIT) | int(socket.MSG_PEEK)
"""To look at what a new connection says and take it when it's answered. Taking it tells the peer that there is room
again (`unix_write_space`, net/unix/af_unix.c): one that waits for its answer would wake and go back to sleep."""
SEND: Final = int(socket.MSG_DONTWAIT) | int(getattr(socket, "MSG_NOSIGNAL", 0))

SENDS_BY_FLAG: Final = sys.platform == "linux"
"""Whether MSG_DONTWAIT holds for sending too, as it does not on macOS (bsd/kern/uipc_socket.c, `sosendcheck`)."""

_TOO_MUCH: Final = Refusal(HTTPStatus.SERVICE_UNAVAILABLE, "Your user has too much under way at once: try again.")
_TOO_LATE: Final = Refusal(HTTPStatus.REQUEST_TIMEOUT, f"The request took more than {DEADLINE:.0f} seconds.")
_discarded: Final = memoryview(bytearray(BYTES_PER_READ))

_LISTED: Final = frozenset({NEW, QUEUED, STREAMING, FOLLOWING})
_MOVES: Final = {
    before: {
        occasion: (after, before in _LISTED or after in _LISTED or (before in TIMED and after not in TIMED))
        for occasion, after in row.items()
    }
    for before, row in TRANSITIONS.items()
}
"""`TRANSITIONS`, and with each whether a connection leaves a list by it, or joins one."""


class Connection(RequestReader, eq=False, kw_only=True):
    """A peer's connection: what it says, as `RequestReader` has it, and what is still to be said to it.

    Its credentials were taken when it was accepted and are its own.
    """

    sock: socket.socket
    peer: PeerCredentials | None
    uid: int | None
    account: Account
    """Whom all is charged to that it holds and costs."""
    groups_size: int = 0
    """Bytes of its peer's groups, if these are many."""
    state: State = NEW
    out: bytearray | None = None
    """What is to be sent as soon as the kernel takes it."""
    stream: EventStream | None = None
    """The answer to `GET /events` that is being given."""
    peeked: int = 0
    """Bytes that were read and are on the socket still; see `PEEK`."""
    uncommitted: int = 0
    """Events of this connection that are not committed yet."""
    answered: bool = False
    """It has had an answer."""
    closing: bool = False
    """To be closed when everything is said."""
    to_drain: int = 0
    """Bytes that are still read and thrown away before it's closed, once it was refused."""
    watched: int = 0
    """What the poller waits for."""
    charged: int = 0
    """Bytes that the peer's account holds by this connection."""

    @property
    def memory(self) -> int:
        """Bytes that it is to be charged with."""
        stream, out = self.stream, self.out
        unsent = FOLLOWER_BUFFER if stream is not None and stream.follows else len(out) if out else 0
        return self.groups_size + unsent + self.held

    def send(self, data: bytes) -> None:
        """Send what the kernel takes now and keep the rest. Raises OSError if the peer is gone."""
        if self.out:
            self.out += data
            return
        try:
            sent = self.sock.send(data, SEND)
        except BlockingIOError:
            sent = 0
        if sent < len(data):
            self.out = bytearray(memoryview(data)[sent:])

    def flush(self) -> bool:
        """Send what was kept; whether the kernel took some of it. Raises OSError if the peer is gone."""
        assert self.out is not None
        try:
            sent = self.sock.send(self.out, SEND)
        except BlockingIOError:
            return False
        del self.out[:sent]
        return sent > 0

    def note_answer(self, request: Request) -> None:
        """A request is about to be answered, or just was: what that means for its connection."""
        self.answered = True
        if not request.keep_alive:
            self.closing = True

    def send_last(self, refusal: Refusal) -> None:
        """Say why it's going to be closed, as far as the kernel takes it now."""
        with contextlib.suppress(OSError):
            self.send(refusal_answer(refusal))

    def discard(self) -> int | None:
        """Read for nothing: how much, 0 if the peer has gone or says no more, `None` if it says nothing now."""
        try:
            return self.sock.recv_into(_discarded, 0, DONT_WAIT)
        except BlockingIOError:
            return None
        except OSError:
            return 0

    def consume_peeked(self) -> None:
        """Take off the socket what was only looked at."""
        left, self.peeked = self.peeked, 0
        try:
            while left > 0:
                left -= self.sock.recv_into(_discarded, left, DONT_WAIT) or left
        except OSError:  # reset by the peer
            pass


Pending: TypeAlias = tuple[Connection, Request, str | None, Said]
"""A hook whose event is to be committed: whose it is, its request, the event's name if that is in the target, and what
its body says."""


class Connections:
    """All open connections of a server. `on_ready` is called whenever one can do what it's watched for."""

    def __init__(
        self,
        poller: Poller,
        seats: int,
        on_ready: Callable[[Connection, int], None],
        notice: Notices,
        accounts: Accounts | None = None,
    ) -> None:
        self._poller = poller
        self._on_ready = on_ready
        self._notice = notice
        self.accounts = accounts or Accounts()
        self.seats = Quota(seats, self.accounts.privileged)
        self.memory = Quota(MEMORY, self.accounts.privileged)
        self.ending = False
        """No connection is kept for another request."""
        self.open: set[Connection] = set()
        self.pending: list[Pending] = []
        """What WAITING ones have said, in the order of its coming."""
        self.arrived = FairQueue[Connection]()
        self.queued = FairQueue[Connection]()
        self.streaming = FairQueue[Connection]()
        self.following = FairQueue[Connection]()
        self.deadlines: dict[Connection, float] = {}
        """Of those whose time is limited, the next one first."""
        self._queues: dict[State, FairQueue[Connection]] = {
            NEW: self.arrived,
            QUEUED: self.queued,
            STREAMING: self.streaming,
            FOLLOWING: self.following,
        }

    def move(self, connection: Connection, occasion: Occasion) -> None:
        """Move a connection as `TRANSITIONS` says. Raises LookupError if it says nothing of this occasion."""
        before = connection.state
        try:
            after, relisted = _MOVES[before][occasion]
        except KeyError:
            raise LookupError(f"{occasion.name} can't happen to a connection that is {before.name}") from None
        connection.state = after
        if relisted:
            if before in _LISTED:
                self._queues[before].discard(connection)
            else:
                self.deadlines.pop(connection, None)
            if after in _LISTED:
                self._queues[after].add(connection)

    def send(self, connection: Connection, data: bytes) -> bool:
        """Send what the kernel takes and keep the rest; False if the peer has gone: it's closed then."""
        try:
            connection.send(data)
        except OSError:
            self.close(connection)
            return False
        return True

    def proceed(self, connection: Connection) -> None:
        """All was sent (READING): what was said already comes in the next turn, else there is to be waited for it."""
        said = connection.requests or connection.refusal or (connection.expects_continue and connection.in_request)
        if said and not connection.closing:
            self.defer(connection)
        else:
            self.rearm(connection)

    def defer(self, connection: Connection) -> None:
        """What was said already (READING) is for the next turn."""
        if self.charge(connection):
            self.move(connection, DEFER)

    def rearm(self, connection: Connection) -> None:
        """It's the peer's turn: wait for what it does next, or close the connection if that's nothing of interest."""
        if connection.state is READING and (
            connection.closing or (self.ending and connection.answered and not connection.in_request)
        ):
            self.close(connection)
            return
        if not self.charge(connection):
            return
        stream = connection.stream
        if (stream is None or not stream.follows) and connection not in self.deadlines:
            self.deadlines[connection] = time.monotonic() + DEADLINE
        wanted = WRITE if connection.out else READ
        if connection.watched == wanted:
            return
        descriptor = connection.sock.fileno()
        if connection.watched:
            self._poller.change(descriptor, wanted)
        else:
            self._poller.watch(descriptor, wanted, partial(self._on_ready, connection))
        connection.watched = wanted

    def restart_clock(self, connection: Connection) -> None:
        """Its time begins anew, when it's the peer's turn again (`rearm`)."""
        self.deadlines.pop(connection, None)

    def charge(self, connection: Connection) -> bool:
        """Charge a connection's account for the memory that it holds; False if that's too much: it's closed then."""
        size = connection.memory
        more = size - connection.charged
        if more <= 0:
            if more:
                self.memory.give_back(connection.account, -more)
                connection.charged = size
            return True
        if self.memory.take(connection.account, more):
            connection.charged = size
            return True
        self._notice("memory", f"uid {connection.uid} has too much under way at once: a connection was refused")
        if connection.state is READING:  # else it's in the middle of an answer, or had its last
            connection.send_last(_TOO_MUCH)
        self.close(connection)
        return False

    def expire(self) -> None:
        """Close those whose time is over."""
        now = time.monotonic()
        while self.deadlines:
            connection, deadline = next(iter(self.deadlines.items()))
            if deadline > now:
                return
            if connection.state is READING and connection.in_request:
                connection.send_last(_TOO_LATE)
            self.close(connection)

    def close(self, connection: Connection) -> None:
        """Give back all that it holds. Does nothing if that was done."""
        if connection.state is CLOSED:
            return
        self.move(connection, CLOSE)
        if connection.peeked:
            connection.consume_peeked()  # else the peer is told that it was reset, and may not read its answer
        else:
            connection.let_go()
        if connection.watched:
            self._poller.forget(connection.sock.fileno())
        connection.sock.close()
        connection.stream = None
        self.open.discard(connection)
        self.seats.give_back(connection.account, 1)
        if connection.charged:
            self.memory.give_back(connection.account, connection.charged)
