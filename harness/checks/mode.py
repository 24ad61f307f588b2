"""mode: the socket has the mode, owner and group that were asked for, and exactly those get in whom they admit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness.checks.check import Check, Finding, broken, held, not_known
from harness.oracle import predict, rules_of
from harness.world import Attempt

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.inside.reports import Sighting
    from harness.testbed.server import RunningServer
    from harness.testbed.testbed import Testbed

HOLDS = (
    "The socket file has the mode that was asked for, and of all users exactly those connect whom that mode, "
    "its owner and its group admit; where the server has a check of its own, exactly those are served whom that is to "
    "admit."
)
ANSWER = 2.0
"""Seconds for one answer."""

ONLY_CONNECT: dict[str, Any] = {"speaks": "nothing", "token": "", "seconds": 10.0}


def attack(testbed: Testbed) -> Finding:
    """Start it, read the mode, let everyone connect, and compare both with what was asked."""
    testbed.lay()
    with testbed.serve() as running:
        return _judge(testbed, running)


def _judge(testbed: Testbed, running: RunningServer) -> Finding:
    path = running.endpoint
    if testbed.no_path:
        return _without_file(testbed, path)
    there = testbed.look(path)[path]
    assert there is not None
    if there["kind"] == "symlink":
        return not_known(f"{path} is a symlink, which has no mode of its own: name what it leads to with --socket")
    if testbed.subject.own_check is not None:
        return _own_check(testbed, running, there)
    faults = [*_differences(testbed, there)]
    world = testbed.with_socket(path, testbed.mode)
    attempts = testbed.connects(path)
    decisions = predict(world, attempts, rules_of(testbed.place.facts))
    outcomes = {}
    waiting = []
    for attempt, decision, seen in zip(attempts, decisions, testbed.attempt(*attempts), strict=True):
        outcomes[attempt.user] = seen.outcome
        if seen.outcome == "EAGAIN" and decision.outcome == "ok":
            waiting.append(attempt.user)
        elif seen.outcome != decision.outcome:
            faults.append(f"{attempt.user} should get {decision.outcome} and got {seen.outcome}")
    evidence = {"mode": f"{there['mode']:04o}", "outcomes": outcomes}
    if faults:
        return broken("; ".join(faults), **evidence)
    if waiting:
        return not_known(
            f"the server has not accepted those who came first, so that its queue is full and {', '.join(waiting)} got "
            "EAGAIN: they were let through to it, and it is not known whether they get in",
            **evidence,
        )
    admitted = ", ".join(user for user, outcome in outcomes.items() if outcome == "ok")
    said = _asked(testbed, there)
    return held(f"{said}; {admitted} get in, and the other {_others(outcomes)} do not", **evidence)


def _asked(testbed: Testbed, there: Sighting) -> str:
    """The mode that was asked for, how it was, and the mode that is there."""
    if testbed.subject.at_most and testbed.mode == there["mode"]:
        return f"no more is asked for than it has, which is {there['mode']:04o}"
    how = {"option": "asked for", "umask": "asked for by the umask", "itself": "its own"}[testbed.subject.mode_by]
    return f"{testbed.mode:04o} is {how}, it has {there['mode']:04o}"


def _differences(testbed: Testbed, there: Sighting) -> Iterator[str]:
    """Where mode, owner and group are not those that were asked for."""
    if there["mode"] != testbed.mode:
        yield _asked(testbed, there)
    gid, uid = testbed.world.gid(testbed.socket_group), testbed.world.uid(testbed.socket_owner)
    if testbed.subject.takes_group and testbed.group is not None and there["gid"] != gid:
        yield f"group {testbed.group} ({gid}) is asked for, it has {there['gid']}"
    if testbed.subject.socket_owner is not None and there["uid"] != uid:
        yield f"owner {testbed.socket_owner} ({uid}) is asked for, it has {there['uid']}"


def _own_check(testbed: Testbed, running: RunningServer, there: Sighting) -> Finding:
    """The kernel lets in whom the mode says, and the server serves whom it knows: ask everyone."""
    if testbed.subject.speaks == "nothing":
        return not_known("whom the server serves by its own check can't be seen without a protocol: give --speaks")
    answers = {user.name: testbed.ask(running, user.name, "mode", ANSWER) for user in testbed.world.users}
    served = {name for name, answer in answers.items() if answer["kind"] == "accepted"}
    kinds = {name: answer["kind"] for name, answer in answers.items()}
    wrong = [f"{name} should not be served, and is" for name in sorted(served) if not testbed.admits(name)]
    wrong += [
        f"{name} should be served, and is not ({kinds[name]})"
        for name in kinds
        if testbed.admits(name) and name not in served
    ]
    evidence = {"mode": f"{there['mode']:04o}", "outcomes": kinds}
    if wrong:
        return broken("; ".join(wrong), **evidence)
    return held(
        f"its mode is {there['mode']:04o}; by a check of its own it serves {', '.join(sorted(served))}, and none of "
        f"the other {len(kinds) - len(served)}",
        **evidence,
    )


def _without_file(testbed: Testbed, endpoint: str) -> Finding:
    """Nothing there can have a mode: let everyone in who gets in, and compare that with the mode that was asked for."""
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
    said = f"{endpoint} has no mode: of those whom {testbed.mode:04o} keeps out, these got in: "
    return broken(said + ", ".join(wrong), **evidence) if wrong else held(said + "nobody", **evidence)


def _others(outcomes: dict[str, str]) -> int:
    return sum(outcome != "ok" for outcome in outcomes.values())


CHECK = Check("mode", HOLDS, attack)
