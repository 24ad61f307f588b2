"""traversal: whoever may not search a directory of the path does not get in, and there is no other door."""

from __future__ import annotations

from dataclasses import replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from harness.checks.check import Check, Finding, broken, held
from harness.oracle import predict, rules_of
from harness.world import Node

if TYPE_CHECKING:
    from harness.testbed.server import RunningServer
    from harness.testbed.testbed import Testbed
    from harness.world import NodeKind

HOLDS = (
    "With any one directory of the socket's path closed, exactly those get in whom that directory lets through; "
    "the server opens no directory by itself, and listens nowhere else but where it is meant to."
)
CLOSED = 0o700
ONLY_CONNECT: dict[str, Any] = {"speaks": "nothing", "token": "", "seconds": 5.0}


def attack(testbed: Testbed) -> Finding:
    """Close each directory of the path in turn and let everyone connect; look for other doors and for opened
    directories."""
    testbed.lay()
    faults: list[str] = []
    evidence: dict[str, Any] = {}
    with testbed.serve() as running:
        if testbed.no_path:
            return _without_path(testbed, running)
        doors = testbed.doors(running)
        faults += _other_doors(testbed, running, doors)
        tried = 0
        for directory in testbed.above(running.endpoint):
            said, outcomes = _close(testbed, running.endpoint, directory)
            faults += said
            tried += len(outcomes)
            evidence[directory] = outcomes
    if "*" not in testbed.endpoint:
        faults += _opened(testbed)
    if faults:
        return broken("; ".join(faults), **evidence)
    names = ", ".join(evidence)
    meant = _said_of_doors(testbed, doors)
    return held(f"{tried} attempts with each of {names} closed in turn ended as the oracle says{meant}", **evidence)


def _other_doors(testbed: Testbed, running: RunningServer, doors: list[str]) -> list[str]:
    """Where else those get in who may not get in here."""
    attempts = testbed.connects(running.endpoint)
    outside = [
        attempt.user
        for attempt, seen in zip(attempts, testbed.attempt(*attempts), strict=True)
        if seen.outcome != "ok" and testbed.world.user(attempt.user).capabilities is None
    ]
    faults = []
    for door in doors:
        got_in = [
            name
            for name in outside
            if door != running.endpoint
            and not _is_meant(testbed, door)
            and testbed.probe("question", testbed.principal(name), endpoint=door, **ONLY_CONNECT)["kind"] == "accepted"
        ]
        if got_in:
            faults.append(
                f"it listens at {door} as well, and there {', '.join(got_in)} got in (--door says that it is meant)"
            )
    return faults


def _is_meant(testbed: Testbed, door: str) -> bool:
    return any(fnmatchcase(door, meant) for meant in testbed.subject.meant_doors(testbed.request()))


def _said_of_doors(testbed: Testbed, doors: list[str]) -> str:
    """Which of the doors that are meant are open, and which are not."""
    open_ones = [door for door in doors if _is_meant(testbed, door)]
    closed = [
        meant
        for meant in testbed.subject.meant_doors(testbed.request())
        if not any(fnmatchcase(door, meant) for door in doors)
    ]
    said = f"; it listens at {', '.join(open_ones)} too, which is meant" if open_ones else ""
    return said + (f"; at {', '.join(closed)}, which is meant, it does not listen" if closed else "")


def _close(testbed: Testbed, path: str, directory: str) -> tuple[list[str], dict[str, str]]:
    above = testbed.look(*testbed.above(path), path)
    before = above[directory]
    assert before is not None
    testbed.root("chmod", f"{CLOSED:04o}", directory)
    nodes: list[Node] = []
    for name, there in above.items():
        assert there is not None, name
        kind: NodeKind = "socket" if name == path else "directory"
        mode = CLOSED if name == directory else there["mode"]
        nodes.append(Node(name, kind, there["uid"], there["gid"], mode, type=testbed.type))
    world = replace(testbed.world, nodes=tuple(nodes))
    attempts = testbed.connects(path)
    decisions = predict(world, attempts, rules_of(testbed.place.facts))
    faults, outcomes = [], {}
    for attempt, decision, seen in zip(attempts, decisions, testbed.attempt(*attempts), strict=True):
        outcomes[attempt.user] = seen.outcome
        if seen.outcome != decision.outcome:
            faults.append(
                f"with {directory} closed, {attempt.user} should get {decision.outcome} and got {seen.outcome}"
            )
    testbed.root("chmod", f"{before['mode']:04o}", directory)
    return faults, outcomes


def _opened(testbed: Testbed) -> list[str]:
    """Whether a start changes a directory that was closed before."""
    testbed.lay()
    above = testbed.above()
    testbed.root("chmod", f"{CLOSED:04o}", testbed.directory)
    before = testbed.look(*above)
    with testbed.serve():
        after = testbed.look(*above)
    faults = []
    for directory in above:
        old, new = before[directory], after[directory]
        if old is None:
            continue  # the server makes it itself
        assert new is not None, directory
        if (old["mode"], old["uid"], old["gid"]) != (new["mode"], new["uid"], new["gid"]):
            faults.append(f"its start changed {directory} from {old['mode']:04o} to {new['mode']:04o}")
    return faults


def _without_path(testbed: Testbed, running: RunningServer) -> Finding:
    got_in = [
        user.name
        for user in testbed.world.users
        if testbed.ask(running, user.name, f"door-{user.name}")["kind"] == "accepted"
    ]
    return broken(
        f"{running.endpoint} lies behind no directory: {', '.join(got_in)} got in, and nothing in the file system "
        "can stop them",
        outcomes=dict.fromkeys(got_in, "ok"),
    )


CHECK = Check("traversal", HOLDS, attack)
