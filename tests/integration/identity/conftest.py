"""Servers that say whom they saw, and peers that say who they were."""

from __future__ import annotations

import contextlib
import json
import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from harness.engines import bundle
from harness.inside.delivery import OPTIONS
from harness.testbed.probing import carry_out
from harness.world import Principal
from tests.helpers.installation import environment
from tests.integration.cast import CAST

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from harness.engines.protocol import Place, Process

ROOT = Principal(0, 0)
PROVED = (6, 5)
"""The first Linux with SO_PEERPIDFD: before, no process is proved to be the connector, and nothing is said of it."""
PATIENCE = 60.0
"""Seconds to wait for what takes a moment on a machine that has nothing else to do."""
SOCKET, DATABASE = "{socket}", "{database}"
"""Words of a server's command that are replaced when it is started."""
OBSERVATORY = (
    *("python3", "-m", "observatory", "serve"),
    *("--socket", SOCKET, "--mode", "0666", "--database", DATABASE),
)
"""Observatory, open to everybody."""
LISTENER = "tests.integration.identity.listener"
BARE = ("python3", *OPTIONS, bundle.self_contained(LISTENER), SOCKET)
"""The bare listener; with the name of a mistake as one more word, it makes that one."""
CONFINED = ("python3", *OPTIONS, bundle.self_contained("tests.integration.identity.confined"))
"""In front of a server's command: how it is confined."""
ENVIRONMENT = environment()


def proves(place: Place) -> bool:
    """Whether the kernel of a place gives a handle of the process that connected."""
    return tuple(map(int, place.facts.kernel.split(".")[:2])) >= PROVED


class UnplayableError(Exception):
    """What in a place is in the way of a case, in one sentence."""


KEPT_GROUPS = 1024


@dataclass(frozen=True)
class Sent:
    """One event: who opened its connection by the sender's own record, and what the server wrote."""

    token: str
    own: dict[str, Any]
    seen: dict[str, Any]

    def sides(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Who connected by its own record, and by the server's word: `pid`, `uid`, `gid`, `groups`, perhaps `process`.

        A process that the server describes must be the one that connected, in every event; where the record says
        which it was, or that it can't be known any more (`None`), the server must say that. Of more than `KEPT_GROUPS`
        groups a server may say the number alone.
        """
        own = dict(self.own)
        seen = {name: self.seen.get(f"_peer_{name}") for name in own}
        if seen["groups"] is not None:
            seen["groups"] = sorted(seen["groups"])
        elif "_peer_group_count" in self.seen and len(own["groups"]) > KEPT_GROUPS:
            own["groups"], seen["groups"] = len(own["groups"]), self.seen["_peer_group_count"]
        process = self.seen.get("_peer_process")
        if process is not None and "process" in own:
            seen["process"] = {name: process.get(name) for name in ("pid", "comm", "ancestors")}
        elif process is not None:
            own["process"], seen["process"] = own["pid"], process["pid"]
        return own, seen

    def fault(self) -> str | None:
        """Where the two part, in words; `None` if they agree."""
        own, seen = self.sides()
        if own == seen:
            return None
        return f"{self.token}: its connector was {_short(own)}, the server says {_short(seen)}"


def _short(who: dict[str, Any]) -> str:
    return ", ".join(f"{name} {str(value)[:300]}" for name, value in who.items())


@dataclass(frozen=True)
class Played:
    """What came of a case: the events, and which events each reader was shown."""

    sent: list[Sent]
    reads: dict[str, list[str]]

    def faults(self, events: int) -> list[str]:
        """What the server got wrong in this many events."""
        assert len(self.sent) == events
        return [fault for event in self.sent if (fault := event.fault())]


@dataclass
class Watched:
    """A running server, of which each event can be read."""

    process: Process
    socket: str


class Stage:
    """A place with alice and the others in it, servers that are started when first needed, and one who plays cases.

    What is started is shared by the tests of a module: to start an interpreter takes longer than to play a case.
    """

    def __init__(self, place: Place, stack: contextlib.ExitStack) -> None:
        place.build(CAST)
        self.place = place
        self._stack = stack
        self._servers: dict[tuple[str | None, tuple[str, ...]], Watched] = {}
        self._started = 0

    def server(self, command: Sequence[str], confinement: str | None = None) -> Watched:
        """The server of this command: alice's, or in namespaces of its own (see `confined.py`)."""
        key = (confinement, tuple(command))
        if key not in self._servers:
            self._servers[key] = self._start(command, confinement)
        return self._servers[key]

    def fresh(self, command: Sequence[str], *, abstract: bool = False) -> Watched:
        """A server of this command to which nobody has spoken yet; with a name in no directory, if so wanted."""
        return self._start(command, None, "@" if abstract else "/tmp/")

    def play(self, case: str, server: Watched) -> Played:
        """Play a case of `harness.inside.peers`, and pair what it recorded with what the server wrote."""
        arguments = {"case": case, "endpoint": server.socket, "server": server.process.pid}
        done = carry_out(self.place, "harness.inside.peers.cases", ROOT, PATIENCE, **arguments)
        assert done.status == 0, done.stderr
        said = [json.loads(line) for line in done.stdout.splitlines()]
        for line in said:
            assert "unserved" not in line, line
            if "unplayable" in line:
                raise UnplayableError(line["unplayable"])
        records = {own.pop("token"): own for own in said if "token" in own}
        if not proves(self.place):
            records = {token: {**own, "process": None} if "process" in own else own for token, own in records.items()}
        assert records, "the actor recorded nothing"
        events: dict[str, dict[str, Any]] = {}
        while records.keys() - events.keys():
            event = json.loads(server.process.read_line(timeout=PATIENCE))
            if event.get("_event") == "SessionDead":
                continue  # what the server tells of the processes above the senders, when they have ended
            assert event["session_id"] not in events, "an event that was sent once came twice"
            events[event["session_id"]] = event
        return Played(
            [Sent(token, own, events[token]) for token, own in records.items()],
            {reader["reads"]: reader["tokens"] for reader in said if "reads" in reader},
        )

    def _start(self, command: Sequence[str], confinement: str | None, directory: str = "/tmp/") -> Watched:
        self._started += 1
        socket = f"{directory}identity-{self._started}.sock"
        words = {SOCKET: socket, DATABASE: f"/tmp/identity-{self._started}.sqlite"}
        whole = [words.get(word, word) for word in command]
        if confinement is not None:
            whole = [*CONFINED, confinement, *whole]
        who = CAST.principal("alice") if confinement is None else ROOT
        if confinement is None and tuple(command[: len(BARE)]) == BARE:  # without a start of an interpreter
            process = self.place.call(LISTENER, who, words=whole[len(BARE) - 1 :])
        else:
            process = self.place.start(whole, who, environment=ENVIRONMENT)
        self._stack.callback(end, process)
        line = process.read_line("stderr", timeout=PATIENCE)
        assert "listening on" in line, line
        return Watched(process, socket)


def end(process: Process) -> None:
    """End a process, as it is."""
    with contextlib.suppress(ProcessLookupError):
        process.signal(signal.SIGKILL)
    process.wait(timeout=PATIENCE)


@contextlib.contextmanager
def staged(place: Place) -> Iterator[Stage]:
    """A stage, cleared afterwards."""
    with contextlib.ExitStack() as stack:
        yield Stage(place, stack)


@pytest.fixture(scope="module")
def stage(place: Place) -> Iterator[Stage]:
    """Where the cases of this module are played."""
    with staged(place) as made:
        yield made
