"""traversal: whoever may not search a directory of the path does not get in, and there is no other door."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from harness.checks.check import Check
from harness.finding import Finding, broken, held
from harness.oracle import predict, rules_of
from harness.world import Attempt, Node

if TYPE_CHECKING:
    from harness.testbed.testbed import Bench, Running
    from harness.world import Kind

HOLDS = (
    "With any one directory of the socket's path closed, exactly those get in whom that directory lets through; "
    "the server opens no directory by itself, and listens nowhere else."
)
CLOSED = 0o700
ONLY_CONNECT: dict[str, Any] = {"speaks": "nothing", "token": "", "seconds": 5.0}


def attack(bench: Bench) -> Finding:
    """Close each directory of the path in turn and let everyone connect; look for other doors and for opened
    directories."""
    bench.lay()
    faults: list[str] = []
    evidence: dict[str, Any] = {}
    with bench.serve() as running:
        if bench.no_path:
            return _without_path(bench, running)
        faults += _other_doors(bench, running)
        tried = 0
        for directory in _above(running.endpoint):
            said, outcomes = _close(bench, running.endpoint, directory)
            faults += said
            tried += len(outcomes)
            evidence[directory] = outcomes
    if "*" not in bench.endpoint:
        faults += _opened(bench)
    if faults:
        return broken("; ".join(faults), **evidence)
    names = ", ".join(evidence)
    return held(f"{tried} attempts with each of {names} closed in turn ended as the oracle says", **evidence)


def _other_doors(bench: Bench, running: Running) -> list[str]:
    """Where else those get in who may not get in here."""
    attempts = [Attempt(user.name, "connect", running.endpoint) for user in bench.world.users]
    outside = [
        attempt.user
        for attempt, seen in zip(attempts, bench.attempt(*attempts), strict=True)
        if seen.outcome != "ok" and bench.world.user(attempt.user).capabilities is None
    ]
    faults = []
    for door in bench.doors(running):
        got_in = [
            name
            for name in outside
            if door != running.endpoint
            and bench.probe("question", bench.principal(name), endpoint=door, **ONLY_CONNECT)["kind"] == "accepted"
        ]
        if got_in:
            faults.append(f"it listens at {door} as well, and there {', '.join(got_in)} got in")
    return faults


def _above(path: str) -> list[str]:
    """Every directory of the path that is ours to close, from the root down."""
    parts = path.split("/")[1:-1]
    return ["/" + "/".join(parts[: count + 1]) for count in range(len(parts))]


def _close(bench: Bench, path: str, directory: str) -> tuple[list[str], dict[str, str]]:
    above = bench.look(*_above(path), path)
    before = above[directory]
    assert before is not None
    bench.root("chmod", f"{CLOSED:04o}", directory)
    nodes: list[Node] = []
    for name, there in above.items():
        assert there is not None, name
        kind: Kind = "socket" if name == path else "directory"
        mode = CLOSED if name == directory else there["mode"]
        nodes.append(Node(name, kind, there["uid"], there["gid"], mode))
    world = replace(bench.world, nodes=tuple(nodes))
    attempts = [Attempt(user.name, "connect", path) for user in world.users]
    decisions = predict(world, attempts, rules_of(bench.place.facts))
    faults, outcomes = [], {}
    for attempt, decision, seen in zip(attempts, decisions, bench.attempt(*attempts), strict=True):
        outcomes[attempt.user] = seen.outcome
        if seen.outcome != decision.outcome:
            faults.append(
                f"with {directory} closed, {attempt.user} should get {decision.outcome} and got {seen.outcome}"
            )
    bench.root("chmod", f"{before['mode']:04o}", directory)
    return faults, outcomes


def _opened(bench: Bench) -> list[str]:
    """Whether a start changes a directory that was closed before."""
    bench.lay()
    above = _above(bench.endpoint)
    bench.root("chmod", f"{CLOSED:04o}", bench.directory)
    before = bench.look(*above)
    with bench.serve():
        after = bench.look(*above)
    faults = []
    for directory in above:
        old, new = before[directory], after[directory]
        assert old is not None
        assert new is not None
        if (old["mode"], old["uid"], old["gid"]) != (new["mode"], new["uid"], new["gid"]):
            faults.append(f"its start changed {directory} from {old['mode']:04o} to {new['mode']:04o}")
    return faults


def _without_path(bench: Bench, running: Running) -> Finding:
    got_in = [
        user.name
        for user in bench.world.users
        if bench.ask(running, user.name, f"door-{user.name}")["kind"] == "accepted"
    ]
    return broken(
        f"{running.endpoint} lies behind no directory: {', '.join(got_in)} got in, and nothing in the file system "
        "can stop them",
        outcomes=dict.fromkeys(got_in, "ok"),
    )


CHECK = Check("traversal", HOLDS, attack)
