"""descriptor-leak: connections leave no descriptor behind."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.checks.check import Check, Finding, broken, held, not_known

if TYPE_CHECKING:
    from harness.testbed.testbed import Testbed

HOLDS = (
    "A thousand connections (fewer of a slow server), a fifth of them broken off, leave no descriptor behind: the "
    "server's number of descriptors does not grow with the number of its clients."
)
ROUND = 1.5
"""Seconds for one round, where there is time: a slow server gets fewer connections."""
ROUNDS = 2
"""What a server opens once and keeps grows its number of descriptors in one round, a leak in both."""


def attack(testbed: Testbed) -> Finding:
    """Count, connect a thousand times, count again."""
    testbed.lay()
    each = testbed.subject.connections // ROUNDS
    with testbed.serve() as running:
        testbed.open_to_all(running)
        inspector = testbed.inspector(running)
        said = testbed.probe(
            "many",
            inspector,
            endpoint=running.endpoint,
            speaks=testbed.subject.speaks,
            supervisor=running.supervisor,
            person=testbed.person(testbed.owner) if inspector.uid == 0 else None,
            connections=each,
            seconds=2.0,
            longest=min(ROUND, testbed.left / (2 * ROUNDS)),
        )
    before, between, after = said["counts"]
    first, all_of_them = said["made"]
    if not before:
        return not_known("nobody here may look into the server's processes, so that its descriptors can't be counted")
    counted = f"{before} descriptors, after {first} connections {between}, after {all_of_them} {after}"
    if after > between > before:
        return broken(counted, **said)
    if not said["answered"]:
        return not_known(f"none of {all_of_them} connections was answered", **said)
    return held(f"{counted} ({said['answered']} answered, {said['broken_off']} broken off)", **said)


CHECK = Check("descriptor-leak", HOLDS, attack)
