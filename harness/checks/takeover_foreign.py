"""takeover-foreign: what bears the name and is not the server's own is left untouched."""

from __future__ import annotations

from dataclasses import dataclass, replace
from time import monotonic
from typing import TYPE_CHECKING, Any

from harness.checks.check import Check, Finding, broken, held, not_applicable
from harness.testbed.cast import TOP
from harness.world import Node

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.testbed.testbed import Testbed

HOLDS = (
    "If a file, a directory, a symlink or another user's socket bears the name, the start leaves it and whatever "
    "it leads to as it was: same inode, same mode, same owner, same content."
)
VICTIM = f"{TOP}/victim"
CONTENT = "what must not be lost"


@dataclass(frozen=True, slots=True)
class Obstacle:
    """What bears the name: nodes to make, and which of their paths to watch."""

    what: str
    nodes: tuple[Node, ...]
    watched: tuple[str, ...]
    filled: tuple[str, ...] = ()


def obstacles(testbed: Testbed) -> list[Obstacle]:
    """Everything that may stand in the way.

    What the name leads to is the server's own user's where the kernel would protect another user's by itself.
    """
    name, owner = testbed.endpoint, testbed.socket_owner
    gid = testbed.cast.user(owner).gid
    link = Node(name, "symlink", "stranger", "stranger", target=VICTIM)
    foreign = Node(VICTIM, "socket", "stranger", "stranger", 0o640, type=testbed.type)
    own_stale = Node(VICTIM, "socket", owner, gid, 0o640, state="stale", type=testbed.type)
    inside = f"{name}/inside"
    return [
        Obstacle("a regular file", (Node(name, "file", "stranger", "stranger", 0o640),), (name,), (name,)),
        Obstacle(
            "a directory",
            (Node(name, "directory", owner, gid, 0o755), Node(inside, "file", owner, gid, 0o640)),
            (name, inside),
            (inside,),
        ),
        Obstacle("a symlink to a file", (Node(VICTIM, "file", owner, gid, 0o640), link), (name, VICTIM), (VICTIM,)),
        Obstacle("a symlink to nothing", (link,), (name, VICTIM)),
        Obstacle("a symlink to another user's living socket", (foreign, link), (name, VICTIM)),
        Obstacle("a symlink to a stale socket", (own_stale, link), (name, VICTIM)),
        Obstacle("another user's living socket", (replace(foreign, path=name),), (name,)),
    ]


def attack(testbed: Testbed) -> Finding:
    """Put each obstacle in the way and compare before and after a start."""
    if "*" in testbed.endpoint:
        return not_applicable("it takes a new name in a new directory at each start, so nothing can stand there before")
    if testbed.no_path:
        return not_applicable(testbed.no_path)
    if testbed.subject.activated:
        return not_applicable("it does not make its socket: whoever starts it does")
    runs_on, beside = False, 0.0
    faults: list[str] = []
    untried: list[str] = []
    evidence: dict[str, Any] = {}
    to_try = obstacles(testbed)
    for number, obstacle in enumerate(to_try):
        if faults and testbed.left < testbed.least:
            untried.append(obstacle.what)
            continue
        begun = monotonic()
        testbed.lay("own", obstacle.nodes, made_by=testbed.socket_owner)
        for path in obstacle.filled:
            testbed.root("sh", "-c", 'printf %s "$1" > "$0"', path, CONTENT)
        before = testbed.look(*obstacle.watched)
        at_name = before[testbed.endpoint]
        assert at_name is not None
        running = testbed.start()
        before_settling = monotonic()
        share = testbed.left / (len(to_try) - number) - beside
        ended = testbed.settle(running, testbed.endpoint, at_name, max(testbed.least, min(testbed.settling, share)))
        took = monotonic() - before_settling
        after = testbed.look(*obstacle.watched)
        if not ended:
            testbed.kill(running)
        changes = [_change(path, before[path], after[path]) for path in obstacle.watched if before[path] != after[path]]
        untouched = "untouched" if ended else f"untouched when it had run on for {took:.1f} s"
        evidence[obstacle.what] = changes or untouched
        runs_on = runs_on or not ended
        faults += [f"{obstacle.what}: {change}" for change in changes]
        beside = max(beside, monotonic() - begun - took)
    if faults:
        rest = [f"no time was left for {', '.join(untried)}"] if untried else []
        return broken("; ".join(faults + rest), **evidence)
    remark = f"; where it ran on it was watched for {testbed.least:.1f} s at least" if runs_on else ""
    return held(f"untouched: {', '.join(evidence)}{remark}", **evidence)


def _change(path: str, before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> str:
    if before is None:
        return f"{path} came into being"
    if after is None:
        return f"{path} is gone"
    if (before["inode"], before["kind"]) != (after["inode"], after["kind"]):
        return f"{path} was replaced by a {after['kind']}"
    parts = [
        f"{key} {_word(key, before[key])} became {_word(key, after[key])}"
        for key in before
        if before[key] != after[key]
    ]
    return f"{path}: {', '.join(parts)}"


def _word(key: str, value: Any) -> str:
    return f"{value:04o}" if key == "mode" else repr(value)


CHECK = Check("takeover-foreign", HOLDS, attack)
