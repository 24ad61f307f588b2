"""What was said: events are made of it, committed all at once, handed on, and then answered."""

from __future__ import annotations

import time
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from observatory.events import compose, timestamp, with_others, with_process
from observatory.http.parser import Refusal
from observatory.http.responses import answer, refusal_answer
from observatory.service.limits import INDEX_DELAY
from observatory.service.states import BLOCKED, CLOSED, SENT
from observatory.sessions.lifetimes import BOUNDS, Lifetimes
from observatory.store import INDEX_EVERY, NotStored

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from observatory.events import Event
    from observatory.http.parser import Request
    from observatory.service.connection import Connection, Connections, Pending
    from observatory.service.loop import Loop
    from observatory.service.notices import Notices
    from observatory.service.streaming import Streaming
    from observatory.sessions.lifetimes import Ended
    from observatory.sessions.memory import Memory
    from observatory.store import Store

_STORED: Final = answer(HTTPStatus.OK, keep_alive=True)
_STORED_LAST: Final = answer(HTTPStatus.OK, keep_alive=False)
_AGAIN: Final = 1.0
"""Seconds until the ends of sessions are stored again that could not be stored."""


class Committer:
    """Commits what the connections of a server have said, and which sessions have ended.

    Each of `publish` is told what was committed, then those who said it are answered, and then followers are told.
    """

    def __init__(
        self,
        loop: Loop,
        connections: Connections,
        store: Store,
        publish: Sequence[Callable[[list[Event]], None]],
        streaming: Streaming,
        notice: Notices,
    ) -> None:
        self._loop = loop
        self._connections = connections
        self._pending = connections.pending
        self._store = store
        self._publish = publish
        self._streaming = streaming
        self._notice = notice
        self._ended: list[Ended] = []
        self._lifetimes = Lifetimes(loop.watch, loop.unwatch, self._ended.append, connections.accounts.of)
        self._idle_timer = False
        self._index_rest()  # what a killed server, or one of an earlier version, has left

    def remember(self, memory: Memory) -> None:
        """Keep in `memory` which processes the sessions are, and go on with those that it holds."""
        self._lifetimes.remember(memory)
        if self._ended:
            self._loop.call_later(0, lambda: None)  # they are to be told in the first turn, whoever comes or not

    def close(self) -> None:
        """Watch no session any more."""
        self._lifetimes.close()

    def commit_all(self) -> None:
        """Commit until there is nothing to commit."""
        while self._pending or self._ended:
            self._commit()

    def _commit(self) -> None:
        """Make events of what this turn's hooks have said, commit them, hand them on, and answer."""
        close = self._connections.close
        pending = self._pending[:]
        self._pending.clear()
        now = time.time_ns() // 1000
        ts = timestamp(now)
        number = self._store.last_id
        events = []
        introduce = self._lifetimes.introduce
        for connection, _, name, said in pending:
            number += 1
            peer = connection.peer
            event = compose(number, now, ts, name, peer, said)
            lineage = introduce(connection.sock, peer, event.name, event.session)
            if lineage is not None:
                event = with_process(event, lineage)
            elif event.name == "SessionEnd" and (others := self._lifetimes.others(event.uid, event.session)):
                event = with_others(event, others)
            events.append(event)
        for ended in self._ended:
            number += 1
            events.append(ended.event(number, now, ts))
        try:
            self._store.append(events)
        except NotStored as error:
            self._not_stored(pending, error)
            return
        self._ended.clear()
        for publish in self._publish:
            publish(events)
        for (connection, _, _, _), event in zip(pending, events, strict=False):  # those of the ended have no sender
            if event.name in BOUNDS:
                self._lifetimes.stored(connection.peer, event.name, event.session)
        self._lifetimes.all_stored()
        for connection, request, _, _ in pending:
            connection.uncommitted -= 1
            if connection.state is CLOSED:
                continue
            try:
                connection.send(_STORED if request.keep_alive else _STORED_LAST)
            except OSError:
                close(connection)
                continue
            if request.keep_alive or connection.uncommitted or connection.out:
                self._go_on(connection, request)
            else:
                close(connection)
        if self._connections.following:
            self._streaming.publish(events)
        if self._store.unindexed >= INDEX_EVERY:
            self._store.index()
        elif not self._idle_timer:
            self._idle_timer = True
            self._loop.call_later(INDEX_DELAY, self._index_rest)

    def _not_stored(self, pending: list[Pending], error: NotStored) -> None:
        self._notice("store", f"events could not be stored ({error}): {len(pending)} were refused with 503")
        if self._ended:  # these are nobody's to send again
            ended, self._ended[:] = self._ended[:], []
            self._loop.call_later(_AGAIN, lambda: self._ended.extend(ended))
        refusal = Refusal(HTTPStatus.SERVICE_UNAVAILABLE, f"The event could not be stored: {error}.")
        for connection, request, _, _ in pending:
            data = refusal_answer(refusal, keep_alive=request.keep_alive, fields={"Retry-After": "1"})
            connection.uncommitted -= 1
            if connection.state is not CLOSED and self._connections.send(connection, data):
                self._go_on(connection, request)
        self._lifetimes.not_stored()

    def _go_on(self, connection: Connection, request: Request) -> None:
        """An event of a connection (WAITING) is answered: go over to what comes next, if it was the last."""
        if connection.uncommitted:
            return
        connections = self._connections
        if connection.peeked:
            connection.consume_peeked()
        connection.note_answer(request)
        if connection.out:
            connections.move(connection, BLOCKED)
            connections.rearm(connection)
        else:
            connections.move(connection, SENT)
            connections.proceed(connection)

    def _index_rest(self) -> None:
        """Index the rest when nothing has come for a while."""
        self._idle_timer = False
        if self._store.unindexed:
            self._store.index()
            self._idle_timer = True
            self._loop.call_later(INDEX_DELAY, self._index_rest)
