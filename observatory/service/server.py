"""The turn of a server: it accepts, reads, commits once, then answers everyone of that turn.

No call in here waits for a peer, and no peer gets more of a turn than its part, so none can hold up another. What a
connection is doing is in `observatory.service.states`.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from observatory.service.acceptor import Acceptor, seats
from observatory.service.commit import Committer
from observatory.service.connection import Connections
from observatory.service.limits import END_GRACE
from observatory.service.notices import Notices
from observatory.service.requests import Requests
from observatory.service.states import ANSWERING, DRAINING, FOLLOWING, READING
from observatory.service.streaming import Streaming

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from observatory.audience import Audience
    from observatory.events import Event
    from observatory.listening import Listener
    from observatory.redaction.redactor import Redactor
    from observatory.service.connection import Connection
    from observatory.service.loop import Loop
    from observatory.service.quota import Accounts
    from observatory.service.states import State
    from observatory.sessions.memory import Memory
    from observatory.store import Store


class Server:
    """Serves a listening socket, or more. Each of `publish` is told what a turn has committed, in order."""

    def __init__(
        self,
        loop: Loop,
        listener: Listener,
        store: Store,
        audience: Audience,
        publish: Sequence[Callable[[list[Event]], None]],
        log: Callable[[str], None],
        accounts: Accounts | None = None,
        keep: int | None = None,
        redactor: Redactor | None = None,
    ) -> None:
        """Of texts longer than `keep` bytes so many are kept, with `None` all. What the redactor knows is taken out."""
        notice = Notices(log)
        self._loop = loop
        self._notice = notice
        self.connections = Connections(loop.poller, seats(), self._on_ready, notice, accounts)
        self._streaming = Streaming(self.connections, store, audience, notice)
        self._requests = Requests(self.connections, self._streaming, notice, keep, redactor)
        self._acceptors: list[tuple[Listener, Acceptor]] = []
        self.serve_also(listener)
        store.call_meanwhile(self._accept)  # the kernel's queue fills in less time than the disk may take
        self._committer = Committer(loop, self.connections, store, publish, self._streaming, notice)
        # Whose turn it is in the other states is the server's.
        self._on_ready_when: dict[State, Callable[[Connection], None]] = {
            READING: self._requests.receive,
            ANSWERING: self._requests.flush,
            DRAINING: self._requests.drain,
            FOLLOWING: self._streaming.on_ready,
        }

    def remember(self, memory: Memory) -> None:
        """Keep in `memory` which processes the sessions are, and go on with those that it holds. Before `start`."""
        self._committer.remember(memory)

    def serve_also(self, listener: Listener) -> None:
        """Serve another socket as well. Before `start`."""
        acceptor = Acceptor(self._loop, listener, self.connections, self._notice, self._requests.hold_back)
        self._acceptors.append((listener, acceptor))

    def start(self) -> None:
        """Begin to accept."""
        for _, acceptor in self._acceptors:
            acceptor.start()

    def turn(self, seconds: float | None = None) -> None:
        """One turn: whatever is ready, waiting `seconds` for it at most."""
        connections, requests = self.connections, self._requests
        if connections.arrived or connections.streaming or connections.queued:
            seconds = 0
        elif connections.deadlines:
            left = next(iter(connections.deadlines.values())) - time.monotonic()
            seconds = max(0.0, left if seconds is None else min(left, seconds))
        requests.begin_turn()
        self._loop.turn(seconds)
        self._accept()
        if connections.arrived:
            requests.look_at_arrived()
        if connections.queued:
            requests.resume_queued()
        self._committer.commit_all()
        if connections.streaming:
            self._streaming.advance()
        if connections.deadlines:
            connections.expire()

    def finish(self) -> None:
        """Serve whoever has come, in so far as their requests complete in time; accept what waits to be accepted,
        unless the socket is another's and lives on. Then close everything.
        """
        until = time.monotonic() + END_GRACE
        connections = self.connections
        connections.ending = True
        for listener, acceptor in self._acceptors:
            if listener.inode is not None:
                listener.remove()
                while acceptor.accepting and acceptor.accept():
                    pass
            acceptor.stop()
        self._streaming.end()
        for connection in list(connections.open):
            if connection.state is READING:
                connections.rearm(connection)
        while connections.open and (left := until - time.monotonic()) > 0:
            self.turn(left)
        for connection in list(connections.open):
            connections.close(connection)
        self._committer.close()

    def _accept(self) -> None:
        """Accept whoever waits. With much else to do it isn't waited for the poller to say so, who tells of a thousand
        descriptors at once.
        """
        connections = self.connections
        alone = not (self._requests.spent or connections.arrived or connections.queued or connections.streaming)
        for _, acceptor in self._acceptors:
            if acceptor.ready or not alone:
                acceptor.accept(alone=alone)

    def _on_ready(self, connection: Connection, _bits: int) -> None:
        """Called by the poller for a connection that can do what it's watched for."""
        if self._requests.is_served(connection.account):
            return  # this user has had its part of this turn: the poller calls again in the next one
        on_ready = self._on_ready_when.get(connection.state)
        if on_ready is not None:
            on_ready(connection)
