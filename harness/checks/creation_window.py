"""creation-window: from the first moment on, the socket is never open wider than asked."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Any

from harness.checks.check import Check, Finding, broken, held, not_applicable, not_known
from harness.oracle import predict, rules_of
from harness.world import Attempt

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.inside.reports import Sighting, StartsReport, StepsReport
    from harness.testbed.testbed import Testbed

HOLDS = (
    "At no moment of a start does anyone get in whom the finished socket refuses: not between bind, chmod, chown "
    "and listen, not under a umask of 000 either, in however many starts."
)
WIDE, USUAL = 0o000, 0o022
SERIES = 2.0
"""Seconds for the starts at full speed under one umask, where there is time and nobody says how many they are to be."""
MOST = 100
FEWEST = 2
CROWD = 4
"""How many of the outsiders hammer at full speed: more would only take the processors from the server."""
AWKWARD = ("bare", "searcher")
"""Users whose capabilities a probe does not take on."""


def attack(testbed: Testbed) -> Finding:
    """Under each umask take one start step by step, then many at full speed, with everyone outside trying."""
    if testbed.no_path:
        return not_applicable(f"{testbed.no_path}, so it has no mode at any moment")
    if testbed.subject.activated:
        return not_applicable("it does not make its socket: whoever starts it does")
    umasks = (USUAL,) if testbed.subject.mode_by == "umask" else (USUAL, WIDE)
    faults: list[str] = []
    seen: list[str] = []
    evidence: dict[str, Any] = {}
    for number, umask in enumerate(umasks):
        under = f"umask {testbed.umask(umask):03o}"
        finished = testbed.finished if umask == USUAL else None
        if finished is None:
            testbed.lay()
            with testbed.serve(umask=umask) as running:
                finished = testbed.look(running.endpoint)[running.endpoint]
        outside = [] if finished is None else _outside(testbed, finished)
        if not outside:
            seen.append(f"under {under} the finished socket admits every user")
            continue
        steps, starts = _try(testbed, outside, umask, len(umasks) - number)
        evidence[under] = {"steps": steps, "starts": starts}
        faults += [f"under {under} {fault}" for fault in _faults(testbed.endpoint, steps, starts)]
        if faults:
            continue
        if starts["ready"] < starts["starts"]:
            missing = starts["starts"] - starts["ready"]
            return not_known(f"under {under} {missing} of {starts['starts']} starts never answered", **evidence)
        if steps["untraceable"] is None and not steps["ready"]:
            return not_known(f"under {under} a start taken step by step did not finish", **evidence)
        seen.append(f"under {under} {_calm(steps, starts, outside)}")
    if faults:
        return broken("; ".join(faults), **evidence)
    if not evidence:
        return not_applicable(f"{'; '.join(seen)}, so there is nobody to keep out meanwhile")
    return held("; ".join(seen), **evidence)


def _outside(testbed: Testbed, finished: Sighting) -> list[str]:
    """Whom the finished socket refuses, whatever was asked for: a mode that stays wrong is the fault of `mode`."""
    path = f"{testbed.directory}/socket"
    world = testbed.with_socket(path, finished["mode"], finished["uid"], finished["gid"])
    attempts = [
        Attempt(user.name, "connect", path, type=testbed.type) for user in world.users if user.name not in AWKWARD
    ]
    decisions = predict(world, attempts, rules_of(testbed.place.facts))
    return [
        attempt.user
        for attempt, decision in zip(attempts, decisions, strict=True)
        if decision.outcome != "ok" and attempt.user not in (testbed.owner, testbed.socket_owner)
    ]


def _try(testbed: Testbed, outside: Sequence[str], umask: int, still: int) -> tuple[StepsReport, StartsReport]:
    """One start step by step, and as many at full speed as there is time for; `still` umasks share what is left."""
    patience = testbed.subject.patience
    common: dict[str, Any] = {
        "endpoint": testbed.endpoint,
        "speaks": testbed.subject.speaks if testbed.subject.own_check is None else "nothing",
        "order": testbed.order(umask=umask, stop=signal.SIGKILL if testbed.slow_to_stop else 0),
    }
    testbed.lay(made_by=testbed.socket_owner)
    people = [testbed.person(name) for name in outside]
    # Every system call at which it stops costs time: a start may take longer so, but not for ever.
    steps = testbed.probe("steps", **common, outsiders=people, seconds=3 * patience, timeout=4 * patience + 60)
    testbed.lay(made_by=testbed.socket_owner)
    chosen = testbed.subject.starts
    series = min(SERIES, testbed.left / (2 * still))
    fewest = chosen or (FEWEST if testbed.left > 0 else 1)
    starts = testbed.probe(
        "starts",
        **common,
        outsiders=people[:CROWD],
        fewest=fewest,
        most=MOST if chosen is None else chosen,
        seconds=series,
        patience=patience,
        leftovers=None if "*" in testbed.endpoint else testbed.endpoint.rpartition("/")[0],
        timeout=SERIES + 60 + fewest * 2 * patience,
    )
    return steps, starts


def _faults(endpoint: str, steps: StepsReport, starts: StartsReport) -> list[str]:
    faults = []
    if steps["breaches"]:
        # One who got in says more than one who would have.
        first = min(steps["breaches"], key=lambda breach: breach["connect"] != "ok")
        name = first["path"].rpartition("/")[2]
        called = "" if first["path"] == endpoint or "*" in endpoint else f" and its name still {name}"
        at = f"at stop {first['stop']} of a start taken step by step, when the mode was {first['mode']}{called}"
        faults.append(
            f"{first['who']} got in {at}"
            if first["connect"] == "ok"
            else f"{first['who']} got past the permissions {at}, and gets in if the server listens at that moment"
        )
    faults += [
        f"{who} got in during start {starts['starts']} at full speed"
        for who, said in starts["outsiders"].items()
        if "ok" in said["tries"]
    ]
    return faults


def _calm(steps: StepsReport, starts: StartsReport, outside: Sequence[str]) -> str:
    tries = sum(sum(said["tries"].values()) for said in starts["outsiders"].values())
    stepped = (
        f"({steps['untraceable']}, so it was not taken step by step)"
        if steps["untraceable"] is not None
        else f"nor at any of the {steps['stops']} stops of a start taken step by step"
    )
    names = ", ".join(outside)
    return f"none of {tries:,} tries by {names} got in during {starts['starts']} starts, {stepped}"


CHECK = Check("creation-window", HOLDS, attack)
