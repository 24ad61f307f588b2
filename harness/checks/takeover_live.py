"""takeover-live: a second start does not steal the name from a server that lives."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from harness.checks.check import Check, Finding, broken, held, not_applicable

if TYPE_CHECKING:
    from harness.testbed.testbed import Testbed

HOLDS = (
    "While a server lives, a second start in the same way leaves its socket alone, and clients still reach the first."
)
LONG = 4.0
"""Seconds for the second start to give up: some try again for a while."""


def attack(testbed: Testbed) -> Finding:
    """Start it twice, and see whose the name is."""
    if "*" in testbed.endpoint:
        return not_applicable("it takes a new name in a new directory at each start, so two never meet")
    if testbed.subject.activated:
        return not_applicable("it does not make its socket: whoever starts it does")
    testbed.lay()
    with testbed.serve() as first:
        before = None if testbed.no_path else testbed.look(first.endpoint)[first.endpoint]
        second = testbed.start()
        try:
            ended = testbed.settle(second, first.endpoint, before, max(LONG, testbed.settling))
            after = None if testbed.no_path else testbed.look(first.endpoint)[first.endpoint]
            said = testbed.log(second) if ended else "the second start is still running"
            answer = testbed.ask(first, testbed.asker, "after-the-second-start")
            reached = testbed.tells != "output" or first.event("after-the-second-start", 5.0) is not None
        finally:
            with contextlib.suppress(ProcessLookupError):
                testbed.kill(second)
    same = before is None or (after is not None and after["inode"] == before["inode"])
    if not same:
        return broken(f"the second start put its own socket in the place of the living server's; {said}")
    if answer["kind"] not in ("accepted", "refused") or not reached:
        return broken(f"after the second start the first is not reached any more ({answer['kind']}); {said}")
    return held(f"the name still leads to the first server; {said}")


CHECK = Check("takeover-live", HOLDS, attack)
