"""Servers that say whom they saw, and peers that say who they were."""

from __future__ import annotations

import contextlib
import json
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.cast import CAST
from tests.integration.conftest import INSIDE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from harness.place import Place, Process

HERE = Path(__file__).parent
SOCKET = "/tmp/observatory.sock"
PATIENCE = 120.0
"""Seconds to wait for what takes a moment on a machine that has nothing else to do."""
ACTOR = (HERE / "actor.py").read_text(encoding="utf-8")
ACT = ("python3", "-c", "import os; exec(compile(os.environ['ACTOR'], 'actor', 'exec'))")
"""How the actor is run: its text is in the environment, for the helper that it starts as another program."""
CONFINED = (HERE / "confined.py").read_text(encoding="utf-8")
CLIENTS = (HERE / "clients.py").read_text(encoding="utf-8")
LISTENER = (HERE / "listener.py").read_text(encoding="utf-8")


@dataclass(frozen=True)
class Sent:
    """One event: who opened its connection by the sender's own record, and what the server wrote."""

    token: str
    own: dict[str, Any]
    seen: dict[str, Any]

    def fault(self) -> str | None:
        """Where the two part, in words; `None` if they agree."""
        own = {f"_peer_{name}": value for name, value in self.own.items()}
        seen = {name: self.seen.get(name) for name in own}
        if seen["_peer_groups"] is not None:
            seen["_peer_groups"] = sorted(seen["_peer_groups"])
        if own != seen:
            return f"{self.token}: its connector was {_short(own)}, the server says {_short(seen)}"
        return None


def _short(who: dict[str, Any]) -> str:
    return ", ".join(f"{name.removeprefix('_peer_')} {str(value)[:60]}" for name, value in who.items())


@dataclass(frozen=True)
class Played:
    """What came of a case: the events, and which events each reader was shown."""

    sent: list[Sent]
    reads: dict[str, list[str]]


@dataclass
class Watched:
    """A running server, of which each event can be read."""

    process: Process
    place: Place
    socket: str = SOCKET

    def play(self, case: str, *words: str) -> Played:
        """Let the actor play a case, and pair what it recorded with what the server wrote."""
        done = self.place.run(
            [
                "python3",
                "-c",
                "import os; exec(compile(os.environ['ACTOR'], 'actor', 'exec'))",
                case,
                self.socket,
                *words,
            ],
            CAST.principal("root"),
            environment={"ACTOR": ACTOR},
            timeout=PATIENCE,
        )
        assert done.status == 0, done.stderr
        said = [json.loads(line) for line in done.stdout.splitlines()]
        records = {own.pop("token"): own for own in said if "token" in own}
        assert records, "the actor recorded nothing"
        events = [json.loads(self.process.read_line(timeout=PATIENCE)) for _ in records]
        return Played(
            [Sent(event["token"], records[event["token"]], event) for event in events],
            {reader["reads"]: reader["tokens"] for reader in said if "reads" in reader},
        )

    def act(self, case: str, *words: str) -> list[Sent]:
        """Play a case of which only the events matter."""
        return self.play(case, *words).sent


def observatory_command(*arguments: str) -> list[str]:
    """How alice's observatory is started, open to everybody."""
    return ["python3", "-m", "observatory", "serve", "--socket", SOCKET, "--mode", "0666", *arguments]


def bare_command(*mistake: str, socket: str = SOCKET) -> list[str]:
    """How the bare listener is started, right or with a mistake."""
    return ["python3", "-c", LISTENER, socket, *mistake]


def confined_command(kind: str, command: list[str]) -> list[str]:
    """How root starts a server in namespaces of its own."""
    return ["python3", "-c", CONFINED, kind, *command]


ENVIRONMENT = {
    "HOME": "/home/alice",
    "PYTHONPATH": f"{INSIDE}/source:{INSIDE}/libraries",
    "PYTHONDONTWRITEBYTECODE": "1",
}


@contextlib.contextmanager
def launched(place: Place, command: list[str], user: str = "alice", socket: str = SOCKET) -> Iterator[Watched]:
    """A server that listens, alice's by itself or by whoever the command says; ended afterwards."""
    place.build(CAST)
    process = place.start(command, CAST.principal(user), environment=ENVIRONMENT)
    try:
        line = process.read_line("stderr", timeout=PATIENCE)
        assert "listening on" in line, line
        yield Watched(process, place, socket)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.signal(signal.SIGKILL)
        process.wait(timeout=PATIENCE)


@pytest.fixture
def started(place: Place) -> Iterator[Callable[..., Watched]]:
    """Start servers; all are ended when the test ends."""
    with contextlib.ExitStack() as stack:
        yield lambda *words, **named: stack.enter_context(launched(place, *words, **named))


@pytest.fixture
def observatory(started: Callable[..., Watched]) -> Watched:
    """Alice's observatory, open to everybody."""
    return started(observatory_command())


@pytest.fixture
def bare(started: Callable[..., Watched]) -> Callable[..., Watched]:
    """Start alice's bare listener, right or with a mistake."""

    def start(*mistake: str, socket: str = SOCKET) -> Watched:
        return started(bare_command(*mistake, socket=socket), socket=socket)

    return start


@pytest.fixture
def confined(started: Callable[..., Watched]) -> Callable[..., Watched]:
    """Start alice's server in a pid namespace of its own, or in a user namespace too."""

    def start(kind: str, command: list[str]) -> Watched:
        return started(confined_command(kind, command), user="root")

    return start
