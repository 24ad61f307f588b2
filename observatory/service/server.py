"""What is done with connections: a turn accepts, reads, commits once, then answers everyone of that turn.

No call in here waits for a peer, and no peer gets more of a turn than its part, so none can hold up another.
"""

from __future__ import annotations

import contextlib
import errno
import os
import resource
import socket
import time
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

import msgspec

from observatory.audience import Audience, scope
from observatory.events import compose, timestamp, with_process
from observatory.http.head_cache import KnownHeads
from observatory.http.parser import CONTINUE, Refusal, answer, refusal_answer
from observatory.identity import accepted_credentials
from observatory.service.connection import DONT_WAIT, PEEK, Connection
from observatory.service.event_stream import EventStream, Phase
from observatory.service.notices import Notices
from observatory.service.poller import READ, WRITE
from observatory.service.quota import Shares
from observatory.service.routes import Action, NoRoute, Route, route, wish
from observatory.sessions.lifetimes import SHARE_OF_DESCRIPTORS, Lifetimes
from observatory.store import INDEX_EVERY, NotStored

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from observatory.events import Event
    from observatory.http.parser import Request
    from observatory.identity import PeerCredentials
    from observatory.listening import Listener
    from observatory.service.loop import Loop
    from observatory.sessions.lifetimes import Ended
    from observatory.sessions.memory import Memory
    from observatory.store import Store

DEADLINE: Final = 10.0
"""Seconds that a request may take, from its connection or from the end of the one before it to its last byte; also
that a peer may take nothing of an answer."""
GRACE: Final = 2.0
"""Seconds that requests which have begun get to complete when the server ends."""
ACCEPTS: Final = 64
"""Connections accepted in one turn at most."""
RECEIVE: Final = 128 * 1024
"""Bytes read from one connection in one turn at most."""
REQUESTS: Final = 64
"""Requests of one connection that are taken up in one turn at most."""
WORK: Final = 1024 * 1024
"""Bytes that are read from one user's connections in one turn, and those of one connection more."""
CONNECTION: Final = 16 * 1024
"""Bytes for which a connection counts besides."""
REQUEST: Final = 1024
"""Bytes for which a request counts besides."""
DRAIN: Final = 32 * 1024 * 1024
"""Bytes read and thrown away after a refusal, so that a peer which is still sending gets to read why."""
FOLLOWER_BUFFER: Final = 1024 * 1024
"""Bytes that a follower may leave unread, besides what the kernel holds."""
PART: Final = 0.005
"""Seconds of a turn that go to readers at most, and to those who have said more than one turn takes."""
MEMORY: Final = 256 * 1024 * 1024
"""Bytes of incomplete requests and unsent answers, of all users together; see `Shares`."""
RESERVE: Final = 320
"""Descriptors that connections leave free: the readers' of the output socket, the database's."""
PAUSE: Final = 0.05
"""Seconds until accepting is tried again when there were no descriptors left."""
IDLE: Final = 0.5
"""Seconds after which the last events are indexed, if no more come."""

_STORED = answer(HTTPStatus.OK, keep_alive=True)
_STORED_LAST = answer(HTTPStatus.OK, keep_alive=False)
_UNIX, _STREAM = int(socket.AF_UNIX), int(socket.SOCK_STREAM)
# The class in C below socket.socket, which needs 4 us less to accept and to close. It has all that is used here.
_ADOPT: Callable[[int, int, int, int], socket.socket] = socket.SocketType  # type: ignore[assignment]


class Server:
    """Serves one listening socket. Each of `publish` is told what a turn has committed, in order."""

    def __init__(
        self,
        loop: Loop,
        listener: Listener,
        store: Store,
        audience: Audience,
        publish: Sequence[Callable[[list[Event]], None]],
        log: Callable[[str], None],
    ) -> None:
        self._loop = loop
        self._poller = loop.poller
        self._listener = listener
        self._second: Listener | None = None
        # What socket.accept() itself calls: without the object that it makes of a descriptor, for which see _ADOPT.
        self._accept: Callable[[], tuple[int, object]] = listener.sock._accept  # type: ignore[attr-defined]
        self._store = store
        self._audience = audience
        self._publish = publish
        self._notice = Notices(log)
        self._received = bytearray(RECEIVE)
        self._buffer = memoryview(self._received)
        self._heads = KnownHeads()
        self._connections: set[Connection] = set()
        self._seats = Shares(_descriptors())
        self._pending: list[tuple[Connection, Request, str | None]] = []
        self._ended: list[Ended] = []
        self._lifetimes = Lifetimes(loop.watch, loop.unwatch, self._ended.append)
        self._deadlines: dict[Connection, float] = {}
        self._speaking: dict[Connection, None] = {}
        self._unfinished: dict[Connection, None] = {}
        self._work: dict[int | None, int] = {}
        self._followers: dict[Connection, None] = {}
        self.memory = Shares(MEMORY)
        self._accepting = False
        self._at_once = 1
        self._hold = self._backoff = 0
        self._idle_timer = False
        self._ending = False

    def remember(self, memory: Memory) -> None:
        """Keep in `memory` which processes the sessions are, and go on with those that it holds. Before `start`."""
        self._lifetimes.remember(memory)
        if self._ended:
            self._loop.call_later(0, lambda: None)  # they are to be told in the first turn, whoever comes or not

    def serve_also(self, listener: Listener) -> None:
        """Serve a second socket as well. Before `start`."""
        self._second = listener

    def start(self) -> None:
        """Begin to accept."""
        self._accepting = True
        self._poller.watch(self._listener.sock.fileno(), READ, self._on_connect)
        if self._second is not None:
            self._poller.watch(self._second.sock.fileno(), READ, self._on_second_connect)

    def turn(self, seconds: float | None = None) -> None:
        """One turn: whatever is ready, waiting `seconds` for it at most."""
        if self._speaking or self._unfinished:
            seconds = 0
        elif self._deadlines:
            left = next(iter(self._deadlines.values())) - time.monotonic()
            seconds = max(0.0, left if seconds is None else min(left, seconds))
        self._work.clear()
        self._loop.turn(seconds)
        if self._unfinished:
            self._take_up()
        while self._pending or self._ended:
            self._commit()
        if self._speaking:
            self._speak()
        if self._deadlines:
            self._expire()

    def finish(self) -> None:
        """Serve whoever has come, in so far as their requests complete in time; accept what waits to be accepted,
        unless the socket is another's and lives on. Then close everything.
        """
        until = time.monotonic() + GRACE
        self._ending = True
        for listener, accept in ((self._listener, self._on_connect), (self._second, self._on_second_connect)):
            if listener is not None and listener.inode is not None:
                listener.remove()
                while self._accepting and accept(READ):
                    while self._pending:
                        self._commit()
        self._pause_accepting()
        for connection in list(self._connections):
            if connection.stream is not None and connection.stream.follows:
                self._say(connection, connection.stream.end())
                if not connection.closed:
                    self._spoken(connection, connection.stream)
            else:
                self._settle(connection)
        while self._connections and (left := until - time.monotonic()) > 0:
            self.turn(left)
        for connection in list(self._connections):
            self._close(connection)
        self._lifetimes.close()

    # Accepting.

    def _pause_accepting(self) -> None:
        if self._accepting:
            self._accepting = False
            self._poller.forget(self._listener.sock.fileno())
            if self._second is not None:
                self._poller.forget(self._second.sock.fileno())

    def _on_connect(self, _bits: int) -> int:
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
            self._greet(descriptor)
        if self._hold:
            self._hold -= 1
        else:
            self._at_once = min(ACCEPTS, 2 * at_once)
            self._backoff = 0
        return at_once

    def _on_second_connect(self, _bits: int) -> int:
        """The same at the second socket, to which few come."""
        assert self._second is not None
        for count in range(ACCEPTS):
            try:
                descriptor, _ = self._second.sock._accept()  # type: ignore[attr-defined]
            except BlockingIOError:
                return count
            except ConnectionAbortedError:
                continue
            except OSError as error:
                self._cannot_accept(error)
                return count
            self._greet(descriptor)
        return ACCEPTS

    def _cannot_accept(self, error: OSError) -> None:
        if error.errno not in {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}:
            raise error
        self._notice("accept", f"cannot accept connections just now: {error.strerror}")
        self._pause_accepting()
        if not self._ending:
            self._loop.call_later(PAUSE, self._accept_again)

    def _accept_again(self) -> None:
        if not self._accepting and not self._ending:
            self.start()

    def _greet(self, descriptor: int) -> None:
        sock = _ADOPT(_UNIX, _STREAM, 0, descriptor)
        peer = accepted_credentials(sock)
        connection = Connection(sock=sock, peer=peer, uid=None if peer is None else peer.uid)
        if not self._seats.take(connection.uid, 1):
            self._turn_away(connection)
            return
        self._connections.add(connection)
        self._meet(connection)

    def _turn_away(self, connection: Connection) -> None:
        self._notice("seats", f"uid {connection.uid} has too many connections: a new one was refused")
        with contextlib.suppress(OSError):
            connection.say(
                refusal_answer(
                    Refusal(HTTPStatus.SERVICE_UNAVAILABLE, "Your user has too many connections to this server.")
                )
            )
        connection.let_go()
        connection.sock.close()

    # Reading.

    def on_ready(self, connection: Connection) -> None:
        """Called by the poller."""
        if self._work.get(connection.uid, 0) >= WORK:
            return  # this user has had its part of this turn: the poller calls again in the next one
        if connection.watched == WRITE:
            self._flush(connection)
        elif connection.draining:
            self._drain(connection)
        elif connection.stream is not None:
            if connection.stream.follows:
                self._ignore(connection)
        elif not connection.requests:  # else it has said more than was taken up yet
            self._receive(connection)

    def _meet(self, connection: Connection) -> None:
        """Look at what a new connection says: most often it's one whole event, and it begins like others before it."""
        size = self._read(connection, PEEK)
        if size is None:
            return
        request = self._heads.request(self._received, size)
        found = None if request is None else route(request.method, request.target)
        if request is None or type(found) is not Route or found.action is not Action.HOOK:
            self._receive(connection, first=True)
            return
        connection.untaken = size
        connection.waiting = 1
        self._pending.append((connection, request, found.name))
        work = self._work
        work[connection.uid] = work.get(connection.uid, 0) + size + CONNECTION + REQUEST

    def _read(self, connection: Connection, how: int) -> int | None:
        """Bytes that are in the buffer then, 0 if the peer says no more; `None` if there is nothing to do now."""
        try:
            return connection.sock.recv_into(self._buffer, 0, how)
        except BlockingIOError:
            self._settle(connection)
        except OSError:  # reset by the peer
            self._close(connection)
        return None

    def _receive(self, connection: Connection, *, first: bool = False) -> None:
        size = self._read(connection, DONT_WAIT)
        if size is None:
            return
        if not size:
            # The peer says no more, and may still read.
            connection.last = True
            self._settle(connection)
            return
        work = self._work
        connection.feed(self._buffer[:size])
        if first:
            self._heads.learn(self._received, size, connection)
        work[connection.uid] = work.get(connection.uid, 0) + size + CONNECTION + REQUEST * len(connection.requests)
        self._handle(connection)

    def _take(self, connection: Connection) -> None:
        """Take off the socket what was only looked at."""
        left, connection.untaken = connection.untaken, 0
        try:
            while left > 0:
                left -= connection.sock.recv_into(self._buffer, left, DONT_WAIT) or left
        except OSError:  # reset by the peer
            pass

    def _handle(self, connection: Connection) -> None:
        """Take up the requests of a connection: so many in a turn, and only while it takes the answers."""
        requests = connection.requests
        while requests and connection.stream is None and not connection.out:
            request = requests[0]
            found = route(request.method, request.target)
            if type(found) is Route and found.action is Action.HOOK:
                if connection.waiting == REQUESTS:
                    return
                del requests[0]
                connection.waiting += 1
                self._pending.append((connection, request, found.name))
                continue
            if connection.waiting:
                return  # what was said before is to be committed first
            del requests[0]
            self._answered(connection, request)
            if isinstance(found, NoRoute):
                fields = {} if found.allow is None else {"Allow": found.allow}
                self._say(connection, refusal_answer(found.refusal, keep_alive=request.keep_alive, fields=fields))
            else:
                self._inform(connection, found, request)
            if connection.closed:
                return
            connection.taken += 1
            if connection.taken == REQUESTS:
                connection.taken = 0
                connection.settled = True
                self._unfinished[connection] = None
                return
        if connection.waiting:
            return
        if not requests and connection.stream is None and not connection.last:
            if connection.refusal is not None:
                self._refuse(connection, connection.refusal)
                return
            if connection.expects_continue and connection.in_request:
                connection.expects_continue = False
                self._say(connection, CONTINUE)
        self._settle(connection)

    def _take_up(self) -> None:
        """Go on with those who had more to say than one turn takes."""
        until = time.monotonic() + PART
        for connection in list(self._unfinished):
            del self._unfinished[connection]
            self._handle(connection)
            if time.monotonic() > until:
                return

    def _answered(self, connection: Connection, request: Request) -> None:
        """A request is about to be answered, or just was: what that means for its connection."""
        connection.fresh = False
        if connection.settled:
            self._deadlines.pop(connection, None)
        if not request.keep_alive:
            connection.last = True

    def _inform(self, connection: Connection, found: Route, request: Request) -> None:
        peer = connection.peer
        if found.action is Action.EVENTS:
            self._begin_stream(connection, found, request)
            return
        body = b'{"status":"ok"}' if found.action is Action.HEALTH else _described(peer)
        whole = answer(HTTPStatus.OK, body, keep_alive=request.keep_alive, content_type="application/json")
        self._say(connection, whole[: -len(body)] if request.method == b"HEAD" else whole)

    def _begin_stream(self, connection: Connection, found: Route, request: Request) -> None:
        keep_alive = request.keep_alive and request.takes_chunks
        wanted = wish(found.parameters, scope(self._audience, connection.peer))
        if isinstance(wanted, Refusal):
            self._say(connection, refusal_answer(wanted, keep_alive=request.keep_alive))
            return
        if wanted.follow and not self._charge(connection, FOLLOWER_BUFFER):
            return
        connection.last = connection.last or not keep_alive
        connection.settled = True
        connection.stream = EventStream(self._store, wanted, keep_alive=keep_alive, chunks=request.takes_chunks)
        self._speaking[connection] = None

    def _refuse(self, connection: Connection, refusal: Refusal) -> None:
        """Say why, say no more, and read on for a while: to close a socket with unread bytes in it resets it."""
        connection.last = True
        connection.draining = DRAIN
        self._say(connection, refusal_answer(refusal))
        if not connection.closed:
            self._settle(connection)

    def _drain(self, connection: Connection) -> None:
        size = self._thrown_away(connection)
        connection.draining -= size or 0
        if size == 0 or connection.draining <= 0:
            self._close(connection)

    def _thrown_away(self, connection: Connection) -> int | None:
        """Bytes that were read for nothing: 0 if the peer has gone, `None` if it says nothing now."""
        try:
            return connection.sock.recv_into(self._buffer, 0, DONT_WAIT)
        except BlockingIOError:
            return None
        except OSError:
            return 0

    # Speaking.

    def _say(self, connection: Connection, data: bytes) -> None:
        try:
            connection.say(data)
        except OSError:  # the peer has gone without waiting
            self._close(connection)

    def _speak(self) -> None:
        """Give each reader in turn a piece of its answer, until the time for that is over."""
        until = time.monotonic() + PART
        while self._speaking:
            connection = next(iter(self._speaking))
            del self._speaking[connection]
            stream = connection.stream
            assert stream is not None
            self._say(connection, stream.more())
            if connection.closed:
                continue
            if stream.phase is Phase.LIVE:
                self._followers[connection] = None
            self._spoken(connection, stream)
            if time.monotonic() > until:
                return

    def _spoken(self, connection: Connection, stream: EventStream) -> None:
        """After a piece of an answer: go on, wait, or go over to what comes next on this connection."""
        if stream.phase is Phase.DONE:
            self._followers.pop(connection, None)
            connection.stream = None
            self._handle(connection)
        elif not connection.out and stream.phase is not Phase.LIVE:
            self._speaking[connection] = None
            self._deadlines.pop(connection, None)
        else:
            self._settle(connection)

    def _tell(self, events: list[Event]) -> None:
        for connection in list(self._followers):
            stream = connection.stream
            assert stream is not None
            data = stream.offer(events)
            if not data:
                continue
            if len(connection.out) + len(data) > FOLLOWER_BUFFER and connection.out:
                self._notice("slow", f"a follower of uid {connection.uid} was too slow and has been dropped")
                self._close(connection)
                continue
            self._say(connection, data)
            if not connection.closed:
                self._spoken(connection, stream)

    def _flush(self, connection: Connection) -> None:
        try:
            if connection.flush():
                self._deadlines.pop(connection, None)
        except OSError:
            self._close(connection)
            return
        if connection.out or connection.draining:
            self._settle(connection)
        elif connection.stream is not None:
            self._spoken(connection, connection.stream)
        else:
            self._handle(connection)

    # Waiting.

    def _settle(self, connection: Connection) -> None:
        """Nothing more can be done with a connection in this turn: close it, or watch it for what it does next."""
        if connection.waiting:
            return
        connection.settled = True
        stream = connection.stream
        if connection.out:
            wanted = WRITE
        elif stream is None:
            if connection.draining:
                with contextlib.suppress(OSError):
                    connection.sock.shutdown(socket.SHUT_WR)
            elif connection.last or (self._ending and not connection.in_request and not connection.fresh):
                self._close(connection)
                return
            wanted = READ
        elif stream.phase is Phase.LIVE:
            wanted = READ
        else:
            return  # it's this server's turn to speak
        held = FOLLOWER_BUFFER if stream is not None and stream.follows else len(connection.out)
        if not self._charge(connection, held + connection.body_size):
            return
        if (stream is None or not stream.follows) and connection not in self._deadlines:
            self._deadlines[connection] = time.monotonic() + DEADLINE
        if connection.watched == wanted:
            return
        if connection.watched:
            self._poller.change(connection.sock.fileno(), wanted)
        else:
            self._poller.watch(connection.sock.fileno(), wanted, _Ready(self, connection))
        connection.watched = wanted

    def _charge(self, connection: Connection, size: int) -> bool:
        """Charge a connection's user for the memory that it holds; False if that's too much: it's closed then."""
        more = size - connection.charged
        if more <= 0:
            if more:
                self.memory.give_back(connection.uid, -more)
                connection.charged = size
            return True
        if self.memory.take(connection.uid, more):
            connection.charged = size
            return True
        self._notice("memory", f"uid {connection.uid} has too much under way at once: a connection was refused")
        if not connection.out and connection.stream is None:
            self._say(
                connection,
                refusal_answer(
                    Refusal(HTTPStatus.SERVICE_UNAVAILABLE, "Your user has too much under way at once: try again.")
                ),
            )
        self._close(connection)
        return False

    def _ignore(self, connection: Connection) -> None:
        """A follower says something: it has gone, or doesn't know that nobody listens."""
        if self._thrown_away(connection) == 0:
            self._close(connection)

    def _close(self, connection: Connection) -> None:
        if connection.closed:
            return
        connection.closed = True
        if connection.untaken:
            self._take(connection)  # else the peer is told that it was reset, and may not read its answer
        if connection.watched:
            self._poller.forget(connection.sock.fileno())
        connection.sock.close()
        connection.let_go()
        self._seats.give_back(connection.uid, 1)
        self._connections.discard(connection)
        if connection.charged:
            self.memory.give_back(connection.uid, connection.charged)
        if connection.settled:
            self._deadlines.pop(connection, None)
            self._unfinished.pop(connection, None)
            self._followers.pop(connection, None)
            self._speaking.pop(connection, None)
            connection.stream = None

    def _expire(self) -> None:
        now = time.monotonic()
        while self._deadlines:
            connection, deadline = next(iter(self._deadlines.items()))
            if deadline > now:
                return
            del self._deadlines[connection]
            if connection.in_request and connection.watched == READ and not connection.draining:
                self._say(
                    connection,
                    refusal_answer(
                        Refusal(HTTPStatus.REQUEST_TIMEOUT, f"The request took more than {DEADLINE:.0f} seconds.")
                    ),
                )
            self._close(connection)

    # What was said.

    def _commit(self) -> None:
        """Make events of what this turn's hooks have said, commit them, hand them on, and answer."""
        pending, self._pending = self._pending, []
        now = time.time_ns() // 1000
        ts = timestamp(now)
        number = self._store.last_id
        events = []
        for connection, request, name in pending:
            number += 1
            event = compose(number, now, ts, name, connection.peer, request.body)
            lineage = self._lifetimes.introduce(connection.sock, connection.peer, event.name, event.session)
            if lineage is not None:
                event = with_process(event, lineage)
            events.append(event)
        for ended in self._ended:
            number += 1
            events.append(ended.event(number, now, ts))
        try:
            self._store.append(events)
        except NotStored as error:
            self._not_stored(pending, error)
            self._lifetimes.not_stored()
            return
        self._ended.clear()
        for publish in self._publish:
            publish(events)
        for (connection, _, _), event in zip(pending, events, strict=False):  # those of the ended have no sender
            self._lifetimes.stored(connection.peer, event.name, event.session)
        for connection, request, _ in pending:
            connection.waiting -= 1
            if connection.closed:
                continue
            try:
                connection.say(_STORED if request.keep_alive else _STORED_LAST)
            except OSError:
                self._close(connection)
                continue
            if request.keep_alive or connection.waiting or connection.out:
                self._go_on(connection, request)
            else:
                self._close(connection)
        if self._followers:
            self._tell(events)
        if self._store.unindexed >= INDEX_EVERY:
            self._store.index()
        elif not self._idle_timer:
            self._idle_timer = True
            self._loop.call_later(IDLE, self._idle)

    def _not_stored(self, pending: list[tuple[Connection, Request, str | None]], error: NotStored) -> None:
        self._notice("store", f"events could not be stored ({error}): {len(pending)} were refused with 503")
        if self._ended:  # these are nobody's to send again
            ended, self._ended[:] = self._ended[:], []
            self._loop.call_later(1.0, lambda: self._ended.extend(ended))
        for connection, request, _ in pending:
            connection.waiting -= 1
            if connection.closed:
                continue
            refusal = Refusal(HTTPStatus.SERVICE_UNAVAILABLE, f"The event could not be stored: {error}.")
            self._say(connection, refusal_answer(refusal, keep_alive=request.keep_alive, fields={"Retry-After": "1"}))
            if not connection.closed:
                self._go_on(connection, request)

    def _go_on(self, connection: Connection, request: Request) -> None:
        if connection.untaken:
            self._take(connection)
        self._answered(connection, request)
        if connection.last and not connection.out:
            self._close(connection)
        elif connection.waiting:
            return
        elif connection.requests:
            connection.settled = True
            self._unfinished[connection] = None
        else:
            self._handle(connection)

    def _idle(self) -> None:
        """Index the rest when nothing has come for a while."""
        self._idle_timer = False
        if self._store.unindexed:
            self._store.index()
            self._idle_timer = True
            self._loop.call_later(IDLE, self._idle)


class _Ready:
    """What the poller calls for a connection."""

    __slots__ = ("_connection", "_server")

    def __init__(self, server: Server, connection: Connection) -> None:
        self._server = server
        self._connection = connection

    def __call__(self, _bits: int) -> None:
        self._server.on_ready(self._connection)


def _described(peer: PeerCredentials | None) -> bytes:
    if peer is None:
        return b'{"pid":null,"uid":null,"gid":null,"groups":null}'
    return msgspec.json.encode({"pid": peer.pid, "uid": peer.uid, "gid": peer.gid, "groups": peer.groups})


def _descriptors() -> int:
    """How many connections there may be: as many descriptors as the hard limit gives, less those needed otherwise."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        soft = hard
    if soft == resource.RLIM_INFINITY:
        soft = 1 << 20
    with contextlib.suppress(OSError):
        soft -= len(os.listdir("/dev/fd"))
    return max(8, soft - soft // SHARE_OF_DESCRIPTORS - RESERVE)
