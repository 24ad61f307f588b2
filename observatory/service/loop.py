"""The loop itself. One thread; no call in it waits for a peer."""

from __future__ import annotations

import contextlib
import selectors
import signal
import socket
import time
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

import msgspec

from observatory.events import compose, timestamp
from observatory.identity import peer_credentials
from observatory.service.connection import Connection
from observatory.service.routes import Action, NoRoute, route
from observatory.wire import CONTINUE, Refusal, Request, answer, refusal_answer

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    from observatory.events import Event
    from observatory.listening import Listener

ACCEPTS_A_TURN: Final = 64
"""Connections accepted in one turn at most, so that a flood of them can't keep the others waiting."""
DEADLINE: Final = 10.0
"""Seconds that a request may take from its connection, or from the end of the one before it, to its last byte."""
GRACE: Final = 2.0
"""Seconds that open requests get to complete when the service ends."""
RECEIVE: Final = 256 * 1024
"""Bytes read from one connection in one turn."""
DRAIN: Final = 4 * 1024 * 1024
"""Bytes read and thrown away after a refusal, so that a peer which is still sending gets to read why."""

_READ, _WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE
_ACCEPTED = answer(HTTPStatus.OK, keep_alive=True)
_ACCEPTED_LAST = answer(HTTPStatus.OK, keep_alive=False)


class Service:
    """Serves one listening socket. `publish` gets the events of each turn, in order, when they are committed."""

    def __init__(self, listener: Listener, publish: Callable[[list[Event]], None], log: Callable[[str], None]) -> None:
        self._listener = listener
        self._publish = publish
        self._log = log
        self._selector = selectors.DefaultSelector()
        self._buffer = memoryview(bytearray(RECEIVE))
        self._next_id = 1
        self._pending: list[tuple[Connection, Request, str | None]] = []
        self._deadlines: dict[Connection, float] = {}
        self._connections: set[Connection] = set()
        self._ending = False
        self._accepting = False

    def watch(self, descriptor: int, callback: Callable[[], None]) -> None:
        """Call `callback` in the loop whenever `descriptor` can be read, until `unwatch`."""
        self._selector.register(descriptor, _READ, lambda _mask: callback())

    def unwatch(self, descriptor: int) -> None:
        """Forget a watched descriptor; before it's closed."""
        self._selector.unregister(descriptor)

    def run(self) -> None:
        """Serve until SIGTERM or SIGINT; then answer what was begun, and return. Main thread only."""
        wake, woken = socket.socketpair()
        wake.setblocking(False)
        woken.setblocking(False)
        before = {number: signal.signal(number, self._on_signal) for number in (signal.SIGTERM, signal.SIGINT)}
        signal.set_wakeup_fd(wake.fileno(), warn_on_full_buffer=False)
        self.watch(woken.fileno(), lambda: _empty(woken))
        self._start_accepting()
        try:
            while not self._ending:
                self._turn(self._time_left())
            self._finish()
        finally:
            signal.set_wakeup_fd(-1)
            for number, handler in before.items():
                signal.signal(number, handler)
            for connection in list(self._connections):
                self._close(connection)
            self._selector.close()
            wake.close()
            woken.close()

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        self._ending = True
        self._log(f"ending: {signal.Signals(number).name}")

    def _finish(self) -> None:
        """No new connection can come; those that have come are served, as far as they come to a request in time."""
        self._listener.remove()
        until = time.monotonic() + GRACE
        while self._accept():
            self._commit()
        self._stop_accepting()
        for connection in list(self._connections):
            connection.closing = True
            if not connection.reader.in_request and not connection.out and not connection.waiting:
                self._close(connection)
        while self._connections and (left := until - time.monotonic()) > 0:
            self._turn(min(left, self._time_left() or left))

    def _turn(self, timeout: float | None) -> None:
        for key, mask in self._selector.select(timeout):
            key.data(mask)
        while self._pending:
            self._commit()
        if self._deadlines:
            self._expire()

    def _time_left(self) -> float | None:
        for deadline in self._deadlines.values():
            return max(0.0, deadline - time.monotonic())
        return None

    # Accepting.

    def _start_accepting(self) -> None:
        if not self._accepting:
            self._accepting = True
            self._selector.register(self._listener.sock, _READ, self._on_connect)

    def _stop_accepting(self) -> None:
        if self._accepting:
            self._accepting = False
            self._selector.unregister(self._listener.sock)

    def _on_connect(self, _mask: int) -> None:
        self._accept()

    def _accept(self) -> int:
        """Accept what waits, up to a turn's worth; how many there were."""
        for count in range(ACCEPTS_A_TURN):
            try:
                sock, _ = self._listener.sock.accept()
            except BlockingIOError:
                return count
            except ConnectionAbortedError:
                continue
            connection = Connection(sock, peer_credentials(sock))
            self._connections.add(connection)
            self._receive(connection)
        return ACCEPTS_A_TURN

    # One connection.

    def _on_ready(self, connection: Connection, mask: int) -> None:
        if mask & _WRITE:
            self._flush(connection)
        elif connection.drains:
            self._drain(connection)
        else:
            self._receive(connection)

    def _receive(self, connection: Connection) -> None:
        try:
            size = connection.sock.recv_into(self._buffer, 0, socket.MSG_DONTWAIT)
        except BlockingIOError:
            self._settle(connection)
            return
        except OSError:  # the peer reset it
            self._close(connection)
            return
        reader = connection.reader
        if not size:
            # The peer has said all that it had to say, and may still be reading.
            connection.closing = True
            if not connection.waiting and not connection.out:
                self._close(connection)
            return
        reader.feed(self._buffer[:size])
        self._handle(connection)

    def _handle(self, connection: Connection) -> None:
        """Take up the requests of a connection, as far as none has to wait for one before it."""
        reader = connection.reader
        try:
            while reader.requests:
                request = reader.requests[0]
                found = route(request)
                if not isinstance(found, NoRoute) and found.action is Action.HOOK:
                    reader.requests.pop(0)
                    connection.waiting += 1
                    self._pending.append((connection, request, found.parameters.get("event") or None))
                    continue
                if connection.waiting:
                    return
                reader.requests.pop(0)
                if isinstance(found, NoRoute):
                    fields = {} if found.allow is None else {"Allow": found.allow}
                    connection.say(refusal_answer(found.refusal, keep_alive=request.keep_alive, fields=fields))
                else:
                    connection.say(self._inform(connection, found.action, request))
                if not request.keep_alive:
                    connection.closing = True
            if connection.waiting:
                return
            if reader.refusal is not None and not connection.closing:
                self._refuse(connection, reader.refusal)
                return
            if reader.expects_continue:
                reader.expects_continue = False
                connection.say(CONTINUE)
        except OSError:
            self._close(connection)
            return
        self._settle(connection)

    def _inform(self, connection: Connection, action: Action, request: Request) -> bytes:
        if action is Action.HEALTH:
            body = b'{"status":"ok"}'
        else:
            peer = connection.peer
            body = msgspec.json.encode(
                {"pid": None, "uid": None, "gid": None, "groups": None}
                if peer is None
                else {"pid": peer.pid, "uid": peer.uid, "gid": peer.gid, "groups": peer.groups}
            )
        whole = answer(HTTPStatus.OK, body, keep_alive=request.keep_alive, content_type="application/json")
        return whole[: -len(body)] if request.method == b"HEAD" else whole

    def _refuse(self, connection: Connection, refusal: Refusal) -> None:
        """Say why, say no more, and read on for a while: closing a socket with unread bytes in it resets it."""
        connection.say(refusal_answer(refusal))
        connection.drains = DRAIN
        if not connection.out:
            connection.sock.shutdown(socket.SHUT_WR)
        self._settle(connection)

    def _drain(self, connection: Connection) -> None:
        try:
            size = connection.sock.recv_into(self._buffer, 0, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return
        except OSError:
            size = 0
        connection.drains -= size
        if not size or connection.drains <= 0:
            self._close(connection)

    def _flush(self, connection: Connection) -> None:
        data, connection.out = connection.out, b""
        try:
            connection.say(data)
            if connection.drains and not connection.out:
                connection.sock.shutdown(socket.SHUT_WR)
        except OSError:
            self._close(connection)
            return
        if connection.out or connection.drains:
            self._settle(connection)
        else:
            self._handle(connection)

    def _settle(self, connection: Connection) -> None:
        """Close the connection, or watch it for what it has to do next."""
        if connection.waiting:
            return
        if connection.out:
            wanted = _WRITE
        elif connection.closing and not connection.drains:
            self._close(connection)
            return
        else:
            wanted = _READ
        if connection not in self._deadlines:
            self._deadlines[connection] = time.monotonic() + DEADLINE
        if connection.registered == wanted:
            return
        if connection.registered:
            self._selector.modify(connection.sock, wanted, _Ready(self, connection))
        else:
            self._selector.register(connection.sock, wanted, _Ready(self, connection))
        connection.registered = wanted

    def _close(self, connection: Connection) -> None:
        if connection.registered:
            self._selector.unregister(connection.sock)
            connection.registered = 0
        self._deadlines.pop(connection, None)
        self._connections.discard(connection)
        connection.reader.close()
        connection.sock.close()

    def _expire(self) -> None:
        now = time.monotonic()
        while self._deadlines:
            connection, deadline = next(iter(self._deadlines.items()))
            if deadline > now:
                return
            del self._deadlines[connection]
            if connection.reader.in_request and not connection.out and not connection.drains:
                with contextlib.suppress(OSError):
                    connection.say(
                        refusal_answer(
                            Refusal(
                                HTTPStatus.REQUEST_TIMEOUT,
                                f"The request was not complete within {DEADLINE:.0f} seconds.",
                            )
                        )
                    )
            self._close(connection)

    # What was said.

    def _commit(self) -> None:
        """Make events of this turn's hooks, hand them on, and answer those who sent them."""
        pending, self._pending = self._pending, []
        now = time.time_ns() // 1000
        ts = timestamp(now)
        events = []
        for connection, request, name in pending:
            events.append(compose(self._next_id, now, ts, name, connection.uid, connection.trusted, request.body))
            self._next_id += 1
        if events:
            self._publish(events)
        for connection, request, _ in pending:
            connection.waiting -= 1
            if connection not in self._connections:
                continue
            try:
                connection.say(_ACCEPTED if request.keep_alive else _ACCEPTED_LAST)
            except OSError:
                self._close(connection)
                continue
            self._deadlines.pop(connection, None)
            if not request.keep_alive:
                connection.closing = True
            if not connection.waiting:
                self._handle(connection)


class _Ready:
    """What the selector holds for a connection: called with what it's ready for."""

    __slots__ = ("_connection", "_service")

    def __init__(self, service: Service, connection: Connection) -> None:
        self._service = service
        self._connection = connection

    def __call__(self, mask: int) -> None:
        self._service._on_ready(self._connection, mask)


def _empty(sock: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while sock.recv(4096):
            pass
