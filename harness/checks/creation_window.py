"""creation-window: from the first moment on, the socket is never open wider than asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness.checks.check import Check, Finding, broken, held, not_applicable
from harness.oracle import predict, rules_of
from harness.world import Attempt

if TYPE_CHECKING:
    from harness.testbed.testbed import Testbed

HOLDS = (
    "At no moment of a start does anyone get in whom the finished socket refuses: not between bind, chmod, chown "
    "and listen, in however many starts."
)
STEPPING = 120.0
"""Seconds for the start that is taken step by step."""
AWKWARD = ("bare", "searcher")
"""Users whose capabilities a probe does not take on."""


def attack(testbed: Testbed) -> Finding:
    """Take one start step by step, then many at full speed, with everyone outside trying all the time."""
    if testbed.no_path:
        return not_applicable(f"{testbed.no_path}, so it has no mode at any moment")
    testbed.lay()
    path = f"{testbed.directory}/socket"
    world = testbed.with_socket(path, testbed.mode)
    attempts = [Attempt(user.name, "connect", path) for user in world.users if user.name not in AWKWARD]
    decisions = predict(world, attempts, rules_of(testbed.place.facts))
    outside = [
        attempt.user
        for attempt, decision in zip(attempts, decisions, strict=True)
        if decision.outcome != "ok" and attempt.user != testbed.owner
    ]
    if not outside:
        return not_applicable(f"{testbed.mode:04o} admits every user, so there is nobody to keep out meanwhile")
    return _judge(testbed, outside)


def _judge(testbed: Testbed, outside: list[str]) -> Finding:
    order = {
        "command": testbed.subject.arguments(testbed.request()),
        "person": testbed.person(testbed.owner),
        "environment": {"PATH": testbed.path, **testbed.environment()},
        "umask": testbed.umask(),
        "stop": int(testbed.subject.stop),
    }
    common = {
        "endpoint": testbed.endpoint,
        "speaks": testbed.subject.speaks,
        "order": order,
        "outsiders": [testbed.person(name) for name in outside],
    }
    steps = testbed.probe("steps", **common, seconds=STEPPING, timeout=STEPPING + 60)
    testbed.lay()
    starts = testbed.probe(
        "starts",
        **common,
        starts=testbed.subject.starts,
        seconds=testbed.subject.patience,
        leftovers=[testbed.endpoint] if testbed.endpoint.startswith("/") else [],
        timeout=testbed.subject.starts * testbed.subject.patience,
    )
    got_in = [who for who, said in starts["outsiders"].items() if "ok" in said["tries"]]
    tries = sum(sum(said["tries"].values()) for said in starts["outsiders"].values())
    evidence: dict[str, Any] = {"steps": steps, "starts": starts}
    faults = []
    if steps.get("breaches"):
        # One who got in says more than one who would have.
        first = min(steps["breaches"], key=lambda breach: breach["connect"] != "ok")
        at = f"at stop {first['stop']} of a start taken step by step, when the mode was {first['mode']}"
        faults.append(
            f"{first['who']} got in {at}"
            if first["connect"] == "ok"
            else f"{first['who']} got past the permissions {at}, and gets in if the server listens at that moment"
        )
    faults += [f"{who} got in during start {starts['starts']} at full speed" for who in got_in]
    if faults:
        return broken("; ".join(faults), **evidence)
    if not steps.get("ready", True):
        return broken(f"a start taken step by step did not answer within {STEPPING:.0f} s", **evidence)
    if starts["ready"] < starts["starts"]:
        missing = starts["starts"] - starts["ready"]
        return broken(f"{missing} of {starts['starts']} starts never answered", **evidence)
    stepped = (
        steps["untraceable"]
        if "untraceable" in steps
        else f"nor at any of the {steps['stops']} stops of a start taken step by step"
    )
    names = ", ".join(outside)
    return held(f"none of {tries:,} tries by {names} got in during {starts['starts']} starts, {stepped}", **evidence)


CHECK = Check("creation-window", HOLDS, attack)
