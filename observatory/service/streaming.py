"""Answers to `GET /events`: pieces for readers, each in turn, and for followers what comes."""

from __future__ import annotations

import time
from http import HTTPStatus
from typing import TYPE_CHECKING

from observatory.audience import scope
from observatory.http.parser import Refusal
from observatory.service.event_stream import EventStream, Phase
from observatory.service.limits import FOLLOWER_BUFFER, PART_OF_TURN, TELLING_COST, TURN_BUDGET
from observatory.service.routes import wish
from observatory.service.states import ANSWERING, BLOCKED, LIVE, SENT, STREAM, STREAMING
from observatory.store.query import first

if TYPE_CHECKING:
    from observatory.audience import Audience
    from observatory.events import Event
    from observatory.http.parser import Request
    from observatory.service.connection import Connection, Connections
    from observatory.service.notices import Notices
    from observatory.service.quota import Account
    from observatory.service.routes import Route
    from observatory.store import Store


class Streaming:
    """The readers and followers among the connections of a server."""

    def __init__(self, connections: Connections, store: Store, audience: Audience, notice: Notices) -> None:
        self._connections = connections
        self._store = store
        self._audience = audience
        self._notice = notice

    @property
    def database(self) -> str:
        """What tells the database that is read from every other one."""
        return self._store.identity

    @property
    def database_path(self) -> str:
        """Where it is."""
        return self._store.path

    def begin(self, connection: Connection, found: Route, request: Request) -> Refusal | None:
        """Begin an answer (from READING to STREAMING), or close the connection; or say what to refuse it with."""
        if first(found.parameters, "database") not in {None, self.database}:
            return Refusal(HTTPStatus.CONFLICT, f"The events here are those of another database, {self.database}.")
        wanted = wish(found.parameters, scope(self._audience, connection.peer))
        if isinstance(wanted, Refusal):
            return wanted
        keep_alive = request.keep_alive and request.takes_chunks
        if not keep_alive:
            connection.closing = True
        connection.stream = EventStream(self._store, wanted, keep_alive=keep_alive, chunks=request.takes_chunks)
        if self._connections.charge(connection):
            self._connections.move(connection, STREAM)
        return None

    def advance(self) -> None:
        """Give each reader in turn a piece of its answer, until the time for that is over."""
        until = time.monotonic() + TURN_BUDGET
        streaming = self._connections.streaming
        while streaming:
            connection = streaming.next()
            stream = connection.stream
            assert stream is not None
            if self._connections.send(connection, stream.more()):
                self._after_piece(connection, stream)
            if time.monotonic() > until:
                return

    def publish(self, events: list[Event]) -> None:
        """Tell every follower what it has asked for of what was just committed.

        To more of one account's than its part of a turn allows it is said as it is to those who read what is stored.
        """
        told: dict[Account, int] = {}
        for connection in self._connections.following.everyone():
            stream, spent = connection.stream, told.get(connection.account, 0)
            assert stream is not None
            if spent >= PART_OF_TURN:
                self._fall_behind(connection, stream)
                continue
            data = stream.offer(events)
            told[connection.account] = spent + len(data) + TELLING_COST * (1 + len(events))
            if not data:
                continue
            if connection.out and len(connection.out) + len(data) > FOLLOWER_BUFFER:
                self._notice("slow", f"a follower of uid {connection.uid} was too slow and has been dropped")
                self._connections.close(connection)
            elif self._connections.send(connection, data):
                self._after_piece(connection, stream)

    def on_ready(self, connection: Connection) -> None:
        """A follower (FOLLOWING) takes what was kept for it; or says something, and has gone or doesn't know better."""
        if not connection.out:
            if connection.discard() == 0:
                self._connections.close(connection)
            return
        try:
            connection.flush()
        except OSError:
            self._connections.close(connection)
            return
        self._connections.rearm(connection)

    def end(self) -> None:
        """End the answers of all who follow, or are about to, as if there were no more."""
        for connection in list(self._connections.open):
            stream = connection.stream
            if stream is not None and stream.follows and self._connections.send(connection, stream.end()):
                self._after_piece(connection, stream)

    def _fall_behind(self, connection: Connection, stream: EventStream) -> None:
        """A follower (FOLLOWING) is to find by itself what comes next, in the time for readers."""
        stream.fall_behind()
        if connection.out:
            self._connections.move(connection, BLOCKED)
            self._connections.rearm(connection)
        else:
            self._connections.move(connection, STREAM)

    def _after_piece(self, connection: Connection, stream: EventStream) -> None:
        """A piece of an answer was said: go on, wait, or go over to what comes next on this connection."""
        connections, phase = self._connections, stream.phase
        if phase is Phase.DONE:
            connection.stream = None
            if not connection.out:
                connections.move(connection, SENT)
                connections.proceed(connection)
                return
        if phase is Phase.LIVE:
            if connection.state is STREAMING:
                connections.move(connection, LIVE)
        elif connection.out:
            if connection.state is not ANSWERING:
                connections.move(connection, BLOCKED)
        else:
            return
        connections.rearm(connection)
