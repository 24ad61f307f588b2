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

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from harness.place import Place, Process
    from tests.integration.conftest import Server

HERE = Path(__file__).parent
SOCKET = "/tmp/observatory.sock"
ACTOR = (HERE / "actor.py").read_text(encoding="utf-8")
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


@dataclass
class Watched:
    """A running server, of which each event can be read."""

    process: Process
    place: Place

    def act(self, case: str) -> list[Sent]:
        """Let the actor play a case, and pair what it recorded with what the server wrote."""
        actor = self.place.start(
            ["python3", "-c", "import os; exec(compile(os.environ['ACTOR'], 'actor', 'exec'))", case, SOCKET],
            CAST.principal("root"),
            environment={"ACTOR": ACTOR, "PATH": "/usr/bin:/bin:/opt/python/bin"},
        )
        done = actor.wait(timeout=60)
        assert done.status == 0, done.stderr
        records = {own.pop("token"): own for own in map(json.loads, done.stdout.splitlines())}
        assert records, "the actor recorded nothing"
        events = [json.loads(self.process.read_line()) for _ in records]
        return [Sent(event["token"], records[event["token"]], event) for event in events]


@pytest.fixture
def observatory(place: Place, serve: Callable[..., Server]) -> Watched:
    """Alice's observatory, open to everybody."""
    place.build(CAST)
    return Watched(serve("--socket", SOCKET, "--mode", "0666").process, place)


@pytest.fixture
def bare(place: Place) -> Iterator[Callable[..., Watched]]:
    """Start alice's bare listener, right or with a mistake."""
    with contextlib.ExitStack() as stack:

        def start(*mistake: str) -> Watched:
            place.build(CAST)
            process = place.start(["python3", "-c", LISTENER, SOCKET, *mistake], CAST.principal("alice"))
            stack.callback(_stop, process)
            assert "listening on" in process.read_line("stderr")
            return Watched(process, place)

        yield start


def _stop(process: Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.signal(signal.SIGKILL)
    process.wait()
