"""A whole server in this process, driven turn by turn, whose every move is seen and every turn looked at.

What else takes many users, much data or much time is near: peers have the uids that are asked for, the kernel keeps
a few answers for each only, limits are small, and the time is the test's.
"""

from __future__ import annotations

import os
import re
import socket
import struct
import tempfile
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from observatory.audience import Audience
from observatory.identity import PeerCredentials
from observatory.listening import Specification, listen
from observatory.service import acceptor, connection, invariants, requests, server, streaming
from observatory.service.connection import Connections
from observatory.service.loop import Loop
from observatory.service.poller import READ, WRITE
from observatory.service.states import TRANSITIONS
from observatory.store import NotStored, database, open_store

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from observatory.events import Event
    from observatory.service.connection import Connection
    from observatory.service.poller import Poller
    from observatory.service.states import Occasion, State

SEATS = 16
FOLLOWER_BUFFER = 8 * 1024
REQUESTS_PER_TURN = 3
PART_OF_TURN = 100 * 1024
END_GRACE = 0.002
SMALL = {
    (connection, "MEMORY"): 1024 * 1024,
    (connection, "FOLLOWER_BUFFER"): FOLLOWER_BUFFER,
    (streaming, "FOLLOWER_BUFFER"): FOLLOWER_BUFFER,
    (invariants, "FOLLOWER_BUFFER"): FOLLOWER_BUFFER,
    (requests, "REQUESTS_PER_TURN"): REQUESTS_PER_TURN,
    (requests, "DRAIN_BYTES"): 4096,
    (requests, "PART_OF_TURN"): PART_OF_TURN,
    (streaming, "PART_OF_TURN"): PART_OF_TURN,
    (server, "END_GRACE"): END_GRACE,
    (database, "SLICE_ROWS"): 2,
}
TICK = 0.0002
"""Seconds that each look at the clock takes here, unless a test says otherwise: a turn's budget is spent after some."""

_IN_MEMORY = "/dev/shm" if os.path.isdir("/dev/shm") else None
"""Where a database is quick to make and to throw away; nothing here is about the disk."""


class DrivenServer:
    """A server and its peers. Every turn ends with a look at whether all holds that is to hold (`invariants`)."""

    def __init__(self, directory: str) -> None:
        self.moves: set[tuple[State, Occasion]] = set()
        self.log: list[str] = []
        self.published: list[Event] = []
        self.now = 1000.0
        self.tick = TICK
        self.disk_full = False
        self.peers: list[socket.socket] = []
        self.groups: tuple[int, ...] = ()
        """Of everyone who connects."""
        self._uids: list[int | None] = []
        self._asked: tuple[socket.socket | None, int | None] = None, None
        self._path = f"{directory}/s"
        self._loop = Loop()
        self._listener = listen(Specification(self._path, 0o600))
        self._store = open_store(f"{directory}/db")
        self.server = server.Server(
            self._loop, self._listener, self._store, Audience(0), [self.published.extend], self.log.append
        )
        self.server.start()
        self.connections = self.server.connections
        self._append = self._store.append
        self._store.append = self._store_or_not  # type: ignore[method-assign]

    def connect(self, data: bytes = b"", uid: int | None = 0) -> socket.socket:
        """Someone who has said this when it is accepted."""
        peer = socket.socket(socket.AF_UNIX)
        peer.setblocking(False)
        self.peers.append(peer)
        peer.connect(self._path)
        self._uids.append(uid)
        if data:
            self.say(peer, data)
        return peer

    def say(self, peer: socket.socket, data: bytes) -> None:
        """What the kernel takes of it now, if the server hasn't closed the connection."""
        with suppress(BlockingIOError, BrokenPipeError, ConnectionResetError):
            peer.send(data)

    def take(self, peer: socket.socket, size: int = 1 << 20) -> bytes:
        """What there is to read now, of so many bytes at most."""
        try:
            return peer.recv(size)
        except (BlockingIOError, ConnectionResetError):
            return b""

    def take_all(self, peer: socket.socket) -> bytes:
        """What there is to read, and what comes when that is read.

        What a long body takes of the processor counts (`BYTES_A_SECOND`), so that on a busy machine its user may have
        nothing of the next turns.
        """
        found, idle = b"", 0
        while idle < 20:
            data = self.take(peer)
            idle = 0 if data else idle + 1
            found += data
            self.turn()
        return found

    def reset(self, peer: socket.socket) -> None:
        """Go without waiting for anything."""
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        peer.close()

    def turn(self, times: int = 1) -> None:
        """Turns of the server, and a look after each."""
        for _ in range(times):
            self.server.turn(0)
            self.look()

    def look(self) -> None:
        """What is to hold holds, and the kernel watches what is said to be watched."""
        violations = invariants.violations(self.connections)
        assert not violations, violations
        watched = _watched(self._loop.poller)
        if watched is not None:
            said = {each.sock.fileno(): each.watched for each in self.connections.open}
            found = {number: watched.get(number, 0) for number in said}
            assert found == said, (found, said)

    @property
    def waiting(self) -> int:
        """How many have connected and are not accepted yet."""
        return len(self._uids)

    def accept(self) -> int:
        """Accept as in a turn that has something else to do; how many the server says that there were."""
        return self.server._acceptors[0][1].accept()

    def states(self) -> list[str]:
        """What the connections are doing, in no order."""
        return [each.state.name for each in self.connections.open]

    def finish(self) -> None:
        """End the server: everything is given back."""
        self.server.finish()
        assert not self.connections.open
        self.look()

    def close(self) -> None:
        """Whatever has happened, leave nothing open."""
        for peer in self.peers:
            peer.close()
        for each in list(self.connections.open):
            self.connections.close(each)
        self._store.close()
        self._listener.remove()
        self._listener.sock.close()
        self._loop.close()

    def clock(self) -> float:
        """The server's time."""
        self.now += self.tick
        return self.now

    def credentials(self, sock: socket.socket) -> PeerCredentials | None:
        """Instead of the kernel's: who it is was said at the connect, and connections are accepted in their order."""
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)  # as small as the kernel allows
        uid = self._asked[1] if self._asked[0] is sock else self._uids.pop(0)
        return None if uid is None else PeerCredentials(os.getpid(), uid, uid, self.groups)

    def uid(self, sock: socket.socket) -> int | None:
        """The uid alone; whether the rest is asked for too depends on it."""
        self._asked = sock, self._uids.pop(0)
        return self._asked[1]

    def _store_or_not(self, events: Sequence[Event]) -> None:
        if self.disk_full:
            raise NotStored("the disk is full")
        self._append(events)


def _watched(poller: Poller) -> dict[int, int] | None:
    """What the kernel waits for on each descriptor (proc(5), fdinfo); `None` where it doesn't say."""
    epoll = getattr(poller, "_epoll", None)
    if epoll is None:
        return None
    text = Path(f"/proc/self/fdinfo/{epoll.fileno()}").read_text()
    found = re.findall(r"^tfd: *(\d+) events: *([0-9a-f]+)", text, re.MULTILINE)
    return {int(number): int(bits, 16) & (READ | WRITE) for number, bits in found}


@contextmanager
def driven_server(seats: int = SEATS) -> Iterator[DrivenServer]:
    """One, with small limits."""
    with ExitStack() as undo:
        patch = undo.enter_context(pytest.MonkeyPatch.context())
        for (module, name), value in SMALL.items():
            patch.setattr(module, name, value)
        patch.setattr(server, "seats", lambda: seats)
        made = DrivenServer(undo.enter_context(tempfile.TemporaryDirectory(prefix="o", dir=_IN_MEMORY)))
        undo.callback(made.close)
        for module in (connection, requests, server, streaming):
            patch.setattr(module, "time", SimpleNamespace(monotonic=made.clock))
        patch.setattr(acceptor, "accepted_credentials", made.credentials)
        patch.setattr(acceptor, "accepted_uid", made.uid)
        move = Connections.move

        def seen(self: Connections, moved: Connection, occasion: Occasion) -> None:
            before = moved.state
            move(self, moved, occasion)
            assert moved.state is TRANSITIONS[before][occasion]
            made.moves.add((before, occasion))

        patch.setattr(Connections, "move", seen)
        patch.setattr(made.server._requests, "_move", lambda moved, occasion: seen(made.connections, moved, occasion))
        yield made
