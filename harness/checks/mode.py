"""mode: the socket has the mode, owner and group that were asked for, and exactly those get in whom they admit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness.checks.check import Check, Finding, broken, held
from harness.oracle import predict, rules_of
from harness.world import Attempt

if TYPE_CHECKING:
    from harness.testbed.testbed import Testbed

HOLDS = (
    "The socket file has the mode that was asked for, and of all users exactly those connect whom that mode, "
    "its owner and its group admit."
)

ONLY_CONNECT: dict[str, Any] = {"speaks": "nothing", "token": "", "seconds": 10.0}


def attack(testbed: Testbed) -> Finding:
    """Start it, read the mode, let everyone connect, and hold both against what was asked."""
    testbed.lay()
    with testbed.serve() as running:
        return _judge(testbed, running.endpoint)


def _judge(testbed: Testbed, path: str) -> Finding:
    if testbed.no_path:
        return _without_file(testbed, path)
    there = testbed.look(path)[path]
    assert there is not None
    if testbed.subject.fixed_mode is None:
        how = {"option": "asked for", "umask": "asked for by the umask"}[testbed.subject.mode_by]
    else:
        how = "its own"
    modes = f"{testbed.mode:04o} is {how}, it has {there['mode']:04o}"
    faults = [modes] if there["mode"] != testbed.mode else []
    gid = testbed.world.gid(testbed.socket_group)
    if testbed.subject.takes_group and testbed.group is not None and there["gid"] != gid:
        faults.append(f"group {testbed.group} ({gid}) is asked for, it has {there['gid']}")
    world = testbed.with_socket(path, testbed.mode)
    attempts = [Attempt(user.name, "connect", path) for user in world.users]
    decisions = predict(world, attempts, rules_of(testbed.place.facts))
    outcomes = {}
    for attempt, decision, seen in zip(attempts, decisions, testbed.attempt(*attempts), strict=True):
        outcomes[attempt.user] = seen.outcome
        if seen.outcome != decision.outcome:
            faults.append(f"{attempt.user} should get {decision.outcome} and got {seen.outcome}")
    evidence = {"mode": f"{there['mode']:04o}", "outcomes": outcomes}
    if faults:
        return broken("; ".join(faults), **evidence)
    admitted = ", ".join(user for user, outcome in outcomes.items() if outcome == "ok")
    return held(f"{modes}; in get {admitted}, and the other {_others(outcomes)} do not", **evidence)


def _without_file(testbed: Testbed, endpoint: str) -> Finding:
    """Nothing there can have a mode: let everyone in who gets in, and hold that against the mode that was asked for."""
    world = testbed.with_socket(f"{testbed.directory}/socket", testbed.mode)
    attempts = [Attempt(user.name, "connect", f"{testbed.directory}/socket") for user in world.users]
    decisions = predict(world, attempts, rules_of(testbed.place.facts))
    outcomes = {
        user.name: testbed.probe("question", testbed.principal(user.name), endpoint=endpoint, **ONLY_CONNECT)["kind"]
        for user in world.users
    }
    wrong = [
        attempt.user
        for attempt, decision in zip(attempts, decisions, strict=True)
        if decision.outcome != "ok" and outcomes[attempt.user] == "accepted"
    ]
    evidence = {"mode": "none", "outcomes": outcomes}
    said = f"{endpoint} has no mode: of those whom {testbed.mode:04o} keeps out, in got "
    return broken(said + ", ".join(wrong), **evidence) if wrong else held(said + "nobody", **evidence)


def _others(outcomes: dict[str, str]) -> int:
    return sum(outcome != "ok" for outcome in outcomes.values())


CHECK = Check("mode", HOLDS, attack)
