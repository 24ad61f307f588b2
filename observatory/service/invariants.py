"""What holds of a server's connections after every turn, whatever its peers have done in it.

Nothing of the service calls this: its tests do, after each turn. It is the other half of `observatory.service.states`,
which says how a connection moves; here is what is true of it when it stands.
"""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import TYPE_CHECKING

from observatory.service.event_stream import Phase
from observatory.service.limits import FOLLOWER_BUFFER
from observatory.service.poller import READ, WRITE
from observatory.service.states import (
    ANSWERING,
    CLOSED,
    DRAINING,
    FOLLOWING,
    NEW,
    QUEUED,
    READING,
    STREAMING,
    TIMED,
    WAITING,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from observatory.service.connection import Connection, Connections
    from observatory.service.quota import Account
    from observatory.service.states import State


def violations(connections: Connections) -> list[str]:
    """What does not hold, a sentence each; none if all is well."""
    found = [*_of_all(connections)]
    for connection in connections.open:
        found += [f"{connection.state.name}: {sentence}" for sentence in _of_one(connections, connection)]
    return found


def _of_all(connections: Connections) -> Iterator[str]:
    """Lists and accounts."""

    def those(*states: State) -> set[Connection]:
        return {connection for connection in connections.open if connection.state in states}

    if connections.pending:
        yield f"{len(connections.pending)} events wait for a commit"
    for state, queue in (
        (NEW, connections.arrived),
        (QUEUED, connections.queued),
        (STREAMING, connections.streaming),
        (FOLLOWING, connections.following),
    ):
        if sorted(map(id, queue.everyone())) != sorted(map(id, those(state))):
            yield f"the queue of those that are {state.name} has others, or not all of them"
        if any(each.account != account for account, line in queue.items() for each in line) or not all(queue.values()):
            yield f"the queue of those that are {state.name} has somebody in another's line, or a line of nobody"
    if connections.deadlines.keys() != {connection for connection in those(*TIMED) if not _follows(connection)}:
        yield "a deadline is missing, or left over"
    if any(later < sooner for sooner, later in pairwise(connections.deadlines.values())):
        yield "deadlines are out of order"
    seats = Counter(connection.account for connection in connections.open)
    memory: Counter[Account] = Counter()
    for connection in connections.open:
        memory[connection.account] += connection.charged
    for what, quota, counted in (("seats", connections.seats, seats), ("bytes", connections.memory, memory)):
        for account, amount in counted.items():
            if quota.held(account) != amount:
                yield f"account {account} is charged with {quota.held(account)} {what} and has {amount}"
        if quota.left + counted.total() != quota.capacity:
            yield f"{quota.capacity - quota.left} {what} are handed out and {counted.total()} are held"


def _of_one(connections: Connections, connection: Connection) -> Iterator[str]:
    """What its state means for its fields."""
    state, stream, out = connection.state, connection.stream, len(connection.out or b"")
    if connection.account != connections.accounts.of(connection.uid):
        yield f"it's charged to account {connection.account} and of uid {connection.uid}"
    if state in {WAITING, CLOSED}:
        yield "no turn ends so"
        return
    if connection.sock.fileno() < 0:
        yield "its socket is closed"
    if connection.uncommitted or connection.peeked:
        yield f"{connection.uncommitted} events of it are uncommitted, and {connection.peeked} bytes not taken"
    if state in TIMED | {FOLLOWING} and connection.watched != (WRITE if out else READ):
        yield f"with {out} bytes to be sent it's watched for {connection.watched}"
    held = _kept(connection)
    if connection.charged != held + connection.groups_size:
        yield f"it's charged with {connection.charged} bytes and holds {held}, and {connection.groups_size} of groups"
    if state is NEW and (held or connection.watched or stream is not None):
        yield "something was done for it"
    if out and state not in {ANSWERING, FOLLOWING}:
        yield f"{out} bytes are to be sent"
    if state is ANSWERING and not out:
        yield "there is nothing to be sent"
    if state is READING:
        if connection.requests or connection.refusal is not None:
            yield "something that it has said is not taken up"
        if connection.closing or (connections.ending and connection.answered and not connection.in_request):
            yield "it ought to be closed"
    if state is QUEUED:
        if connection.closing:
            yield "it ought to be closed"
        if not (connection.requests or connection.refusal or (connection.expects_continue and connection.in_request)):
            yield "there is nothing to take up"
    if (state is DRAINING or connection.to_drain) and not (connection.closing and connection.refusal is not None):
        yield "it drains and was not refused"
    if state is DRAINING and connection.to_drain <= 0:
        yield "it has nothing left to drain"
    if stream is None:
        if state in {STREAMING, FOLLOWING}:
            yield "it has no stream"
    else:
        if state not in {STREAMING, FOLLOWING, ANSWERING}:
            yield "it has a stream"
        if stream.phase is Phase.DONE or (stream.phase is Phase.LIVE) != (state is FOLLOWING):
            yield f"its stream is {stream.phase.name}"


def _kept(connection: Connection) -> int:
    """Bytes that are kept of what a connection has said and of what it's to be told."""
    unsaid = FOLLOWER_BUFFER if _follows(connection) else len(connection.out or b"")
    return unsaid + connection.held


def _follows(connection: Connection) -> bool:
    return connection.stream is not None and connection.stream.follows
