"""Sessions as processes that run hooks, and as much of a server's loop as watching them needs."""

from __future__ import annotations

import select
import shutil
import socket
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from observatory.identity import PeerCredentials, peer_credentials
from observatory.sessions.lifetimes import Ended, Lifetimes
from observatory.sessions.memory import Memory
from tests.helpers.deadline import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from observatory.identity.process import Lineage


# A session: it runs a hook by a shell whenever it's told to, as Claude Code does, in a session of its own (setsid).
SESSION = """
import subprocess, sys
for line in sys.stdin:
    subprocess.run(line, shell=True, start_new_session=True, executable=sys.argv[1])
    print("done", flush=True)
"""


HOOK = (
    "import socket,sys; s=socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); s.sendall(b'x'); "
    "sys.exit(0 if s.recv(1) else 1)"
)


class Loop:
    """As much of a server's loop as this needs: descriptors that are watched, and a listening socket."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "o.sock"
        self.poll = select.poll()
        self.callbacks: dict[int, Callable[[], None]] = {}
        self.ended: list[Ended] = []
        self.introduced: Lineage | None = None
        """What the latest event says of its sender."""
        self.others: list[int] = []
        """The processes that the latest event's session has left, if it says that it ends."""
        self.keep = False
        """Whether the turn goes on: nothing of it is stored or refused yet."""
        self.full = False
        """Whether nothing can be stored."""
        self.memory = directory / "sessions"
        self.lifetimes = self.begin()
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(self.path))
        self.listener.listen()
        self.listener.settimeout(PATIENCE)

    def begin(self) -> Lifetimes:
        made = Lifetimes(self.watch, self.unwatch, self.ended.append, self.account_of)
        made.remember(Memory(self.memory))
        return made

    def account_of(self, uid: int) -> int:
        """All uids from 100,000 on are root's here."""
        return 0 if uid >= 100_000 else uid

    def restart(self) -> None:
        """A server ends, whose sessions go on, and another one starts."""
        self.lifetimes.close()
        assert self.callbacks == {}
        self.lifetimes = self.begin()

    def watch(self, descriptor: int, callback: Callable[[], None]) -> None:
        self.poll.register(descriptor, select.POLLIN)
        self.callbacks[descriptor] = callback

    def unwatch(self, descriptor: int) -> None:
        self.poll.unregister(descriptor)
        del self.callbacks[descriptor]

    def turn(self, seconds: float = 0) -> None:
        for descriptor, _ in self.poll.poll(seconds * 1000):
            self.callbacks[descriptor]()

    def take(self, event: str, session: str | None) -> PeerCredentials:
        """Accept one hook, note its event while it waits, and answer it."""
        connection, _ = self.listener.accept()
        with connection:
            connection.settimeout(PATIENCE)
            connection.recv(1)
            peer = peer_credentials(connection)
            assert peer is not None
            self.introduced = self.lifetimes.introduce(connection, peer, event, session)
            self.others = self.lifetimes.others(peer.uid, session) if event == "SessionEnd" else []
            if self.keep:
                pass
            elif self.full:
                self.lifetimes.not_stored()
            else:
                self.lifetimes.stored(peer, event, session)
                self.lifetimes.all_stored()
            connection.sendall(b"x")
        return peer

    def close(self) -> None:
        self.lifetimes.close()
        assert self.callbacks == {}
        self.listener.close()


class Process:
    """A session's process, with hooks to run."""

    def __init__(self, loop: Loop, shell: str) -> None:
        self.loop = loop
        self.process = subprocess.Popen(
            [sys.executable, "-c", SESSION, shell], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.pid = self.process.pid

    def run(self, command: str) -> None:
        assert self.process.stdin is not None
        print(command, file=self.process.stdin, flush=True)

    def hook(self, event: str, session: str | None) -> PeerCredentials:
        self.run(f'{{ {sys.executable} -c "{HOOK}" {self.loop.path} || true; }}')
        peer = self.loop.take(event, session)
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "done\n"
        return peer

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(PATIENCE)
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                stream.close()


@contextmanager
def session(loop: Loop, shell: str = "sh") -> Iterator[Process]:
    made = Process(loop, shutil.which(shell) or shell)
    try:
        yield made
    finally:
        made.kill()
