"""Reading what connections say, and taking it up: hooks wait for the commit, the rest is answered at once.

The plain path: `receive` reads what is there, the parser makes requests of it, `_dispatch_requests` takes them up. The
one exception is `_peek_first_request`: most connections bring one event each, which is there as a whole when they are
accepted and begins like others before it.
"""

from __future__ import annotations

import contextlib
import os
import socket
import time
from functools import lru_cache, partial
from http import HTTPStatus
from time import thread_time
from typing import TYPE_CHECKING, Final

import msgspec

from observatory.events import SHORT, take_apart
from observatory.http.head_cache import HeadCache
from observatory.http.responses import CONTINUE, answer, refusal_answer
from observatory.service.connection import DONT_WAIT, PEEK
from observatory.service.limits import (
    BODY_COST,
    BYTES_A_SECOND,
    BYTES_PER_READ,
    BYTES_TO_PARSE,
    CONNECTION_COST,
    DRAIN_BYTES,
    PARSING_COST,
    PART_OF_TURN,
    REQUEST_COST,
    REQUESTS_PER_TURN,
    TURN_BUDGET,
)
from observatory.service.routes import Action, NoRoute, Route, route
from observatory.service.states import ANSWER, DRAIN, HOOK, READ, RESUME, SENT, STREAM, WAITING

if TYPE_CHECKING:
    from observatory.events import Said
    from observatory.http.parser import Refusal, Request
    from observatory.identity import PeerCredentials
    from observatory.redaction.redactor import Redactor
    from observatory.service.connection import Connection, Connections
    from observatory.service.notices import Notices
    from observatory.service.quota import Account
    from observatory.service.streaming import Streaming


_EVENT_COST: Final = CONNECTION_COST + PARSING_COST + REQUEST_COST


class Requests:
    """What the connections of a server say."""

    def __init__(
        self,
        connections: Connections,
        streaming: Streaming,
        notice: Notices,
        keep: int | None,
        redactor: Redactor | None,
    ) -> None:
        self._notice = notice
        self._said = partial(take_apart, keep=keep, redactor=redactor)
        self._name = _as_it_is if redactor is None else lru_cache(maxsize=256)(redactor.text)
        self._connections = connections
        self._move = connections.move
        self._pending = connections.pending
        self._streaming = streaming
        self._received = bytearray(BYTES_PER_READ)
        self._buffer = memoryview(self._received)
        self._heads = HeadCache()
        self.spent: dict[Account, int] = {}
        """What each account has had of its part of this turn, in bytes; see `PART_OF_TURN`."""

    # Parts of a turn.

    def begin_turn(self) -> None:
        """Nobody has had anything of this turn, but for those who have had more than their part of the one before."""
        spent = self.spent
        if spent:
            more = [(account, cost - PART_OF_TURN) for account, cost in spent.items() if cost > PART_OF_TURN]
            spent.clear()
            if more:
                spent.update(more)

    def hold_back(self, account: Account) -> None:
        """Give an account that is being turned away an eighth of its part of this turn: while its connections are
        served the kernel's one queue fills with more of them, and somebody else finds it full.
        """
        self.spent[account] = max(self.spent.get(account, 0), PART_OF_TURN * 7 // 8)

    def is_served(self, account: Account) -> bool:
        """Whether an account has had its part of this turn."""
        return self.spent.get(account, 0) >= PART_OF_TURN

    def _spend(self, connection: Connection, cost: int) -> None:
        spent, account = self.spent, connection.account
        spent[account] = spent.get(account, 0) + cost

    # Reading.

    def look_at_arrived(self) -> None:
        """Look at what new connections (NEW) say, as far as it's within their accounts' parts of the turn."""
        spent, arrived = self.spent, self._connections.arrived
        for account in list(arrived):
            for connection in arrived.serve(account):
                if spent.get(account, 0) >= PART_OF_TURN:
                    break
                self._peek_first_request(connection)

    def receive(self, connection: Connection, *, first: bool = False) -> None:
        """Read what a connection (READING) says, and take it up."""
        awaited = connection.awaited
        try:
            size = connection.sock.recv_into(self._buffer, _to_read(awaited), DONT_WAIT)
        except BlockingIOError:
            self._spend(connection, CONNECTION_COST)
            self._connections.rearm(connection)
            return
        except OSError:  # reset by the peer
            size = 0
        if not size:  # the peer says no more, and is owed nothing
            self._spend(connection, CONNECTION_COST)
            self._connections.close(connection)
            return
        connection.feed(self._buffer[:size])
        if size == BYTES_TO_PARSE and not awaited and connection.awaited:
            size += self._receive_rest(connection, size)
        if first:
            self._heads.learn(self._received, size, connection)
        self._spend(connection, size + CONNECTION_COST + PARSING_COST * len(connection.requests))
        self._dispatch_requests(connection)

    def _receive_rest(self, connection: Connection, size: int) -> int:
        """Read on where it has turned out that the rest is of one body: how much."""
        rest = self._buffer[size : size + connection.awaited]
        try:
            more = connection.sock.recv_into(rest, 0, DONT_WAIT)
        except OSError:  # there is no more now, or it was reset, which is found out when there is to be more
            return 0
        if more:
            connection.feed(rest[:more])
        return more

    def drain(self, connection: Connection) -> None:
        """Throw away what a connection (DRAINING) says, for a while."""
        size = connection.discard()
        self._spend(connection, (size or 0) + CONNECTION_COST)
        connection.to_drain -= size or 0
        if size == 0 or connection.to_drain <= 0:
            self._connections.close(connection)

    # Taking up.

    def resume_queued(self) -> None:
        """Go on with those who had more to say than one turn takes."""
        until = time.monotonic() + TURN_BUDGET
        queued = self._connections.queued
        for account in list(queued):
            for connection in queued.serve(account):
                if self.is_served(account):
                    break
                self._move(connection, RESUME)
                self._dispatch_requests(connection)
                if time.monotonic() > until:
                    return

    def _dispatch_requests(self, connection: Connection) -> None:
        """Take up the requests of a connection (READING): so many in a turn, and only while it takes the answers."""
        requests = connection.requests
        answered = 0
        while requests and not connection.closing:
            request = requests[0]
            found = route(request.method, request.target)
            if type(found) is Route and found.action is Action.HOOK:
                if connection.uncommitted == REQUESTS_PER_TURN:
                    return
                del requests[0]
                self._move(connection, HOOK)
                connection.uncommitted += 1
                name = found.name and self._name(found.name)
                self._pending.append((connection, request, name, self._take_apart(connection, request.body)))
                self._spend(connection, REQUEST_COST)
                continue
            if connection.uncommitted:
                return  # what was said before is to be committed first
            if answered == REQUESTS_PER_TURN:
                self._connections.defer(connection)
                return
            del requests[0]
            answered += 1
            self._spend(connection, REQUEST_COST)
            if not self._answer(connection, request, found):
                return
        if connection.state is WAITING:
            return
        if not connection.closing:
            if connection.refusal is not None:
                self._refuse(connection, connection.refusal)
                return
            if connection.expects_continue and connection.in_request:
                connection.expects_continue = False
                if not self._send(connection, CONTINUE):
                    return
        self._connections.rearm(connection)

    def _take_apart(self, connection: Connection, body: bytes | bytearray) -> Said:
        """What a hook says, at the cost of its account."""
        if len(body) <= SHORT:
            said = self._said(body)
            if type(said.inside) is bytes:
                self._spend(connection, BODY_COST * len(body))
            return said
        begun = thread_time()  # not that of a clock: meanwhile the processor may be somebody else's
        said = self._said(body)
        self._spend(connection, int(BYTES_A_SECOND * (thread_time() - begun)))
        return said

    # Answering.

    def flush(self, connection: Connection) -> None:
        """Go on with an answer that a connection (ANSWERING) has not taken, and then with what comes next."""
        self._spend(connection, CONNECTION_COST)
        try:
            sent = connection.flush()
        except OSError:
            self._connections.close(connection)
            return
        if sent:
            self._connections.restart_clock(connection)
        if connection.out:
            self._connections.rearm(connection)
        elif connection.stream is not None:
            self._move(connection, STREAM)
        elif connection.to_drain:
            self._begin_draining(connection)
        else:
            self._move(connection, SENT)
            self._dispatch_requests(connection)

    def _answer(self, connection: Connection, request: Request, found: Route | NoRoute) -> bool:
        """Answer a request that is no hook; whether that's done, and the connection can go on (READING)."""
        self._connections.restart_clock(connection)
        connection.note_answer(request)
        if isinstance(found, NoRoute):
            fields = {} if found.allow is None else {"Allow": found.allow}
            data = refusal_answer(found.refusal, keep_alive=request.keep_alive, fields=fields)
        elif found.action is Action.EVENTS:
            refusal = self._streaming.begin(connection, found, request)
            if refusal is None:
                return False
            data = refusal_answer(refusal, keep_alive=request.keep_alive)
        else:
            body = self._body(found.action, connection)
            data = answer(HTTPStatus.OK, body, keep_alive=request.keep_alive, content_type="application/json")
            if request.method == b"HEAD":
                data = data[: -len(body)]
        return self._send(connection, data)

    def _body(self, action: Action, connection: Connection) -> bytes:
        if action is Action.WHOAMI:
            return _described(connection.peer)
        if action is Action.HEALTH:
            return b'{"status":"ok"}'
        peer, said = connection.peer, {"id": self._streaming.database}
        if peer is not None and peer.uid == os.geteuid():
            said["path"] = self._streaming.database_path  # whoever it is may read the file
        return msgspec.json.encode(said)

    def _send(self, connection: Connection, data: bytes) -> bool:
        """Say something; whether all of it was taken, and the connection can go on (READING)."""
        self._move(connection, ANSWER)
        if not self._connections.send(connection, data):
            return False
        if connection.out:
            self._connections.rearm(connection)
            return False
        self._move(connection, SENT)
        return True

    def _refuse(self, connection: Connection, refusal: Refusal) -> None:
        """Say why, say no more, and read on for a while: to close a socket with unread bytes in it resets it."""
        connection.closing = True
        if refusal.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            self._notice("large", f"uid {connection.uid} sent an event that was refused with 413: {refusal.sentence}")
        connection.to_drain = DRAIN_BYTES
        self._move(connection, ANSWER)
        if not self._connections.send(connection, refusal_answer(refusal)):
            return
        if connection.out:
            self._connections.rearm(connection)
        else:
            self._begin_draining(connection)

    def _begin_draining(self, connection: Connection) -> None:
        self._move(connection, DRAIN)
        with contextlib.suppress(OSError):
            connection.sock.shutdown(socket.SHUT_WR)
        self._connections.rearm(connection)

    # The fast path.

    def _peek_first_request(self, connection: Connection) -> None:
        """Look at what a new connection (NEW) says, and take it up if it's one whole event that begins like others.

        It stays on the socket until it's answered; see `PEEK`. All else goes the plain path.
        """
        try:
            size = connection.sock.recv_into(self._buffer, 0, PEEK)
        except BlockingIOError:
            self._spend(connection, CONNECTION_COST)
            self._move(connection, READ)
            self._connections.rearm(connection)
            return
        except OSError:  # reset by the peer
            self._spend(connection, CONNECTION_COST)
            self._connections.close(connection)
            return
        request = self._heads.request(self._received, size)
        found = None if request is None else route(request.method, request.target)
        if request is None or type(found) is not Route or found.action is not Action.HOOK:
            self._move(connection, READ)
            self.receive(connection, first=True)
            return
        self._move(connection, HOOK)
        connection.peeked = size
        connection.uncommitted = 1
        name = found.name and self._name(found.name)
        self._pending.append((connection, request, name, self._take_apart(connection, request.body)))
        spent, account = self.spent, connection.account
        spent[account] = spent.get(account, 0) + size + _EVENT_COST


def _as_it_is(name: str) -> str:
    return name


def _to_read(awaited: int) -> int:
    """How many bytes to read of a connection of whose body so many are to come."""
    return min(BYTES_PER_READ, max(BYTES_TO_PARSE, awaited))


def _described(peer: PeerCredentials | None) -> bytes:
    if peer is None:
        return b'{"pid":null,"uid":null,"gid":null,"groups":null}'
    said: dict[str, object] = {"pid": peer.pid, "uid": peer.uid, "gid": peer.gid, "groups": peer.groups}
    if peer.group_count is not None:
        said["group_count"] = peer.group_count
    return msgspec.json.encode(said)
