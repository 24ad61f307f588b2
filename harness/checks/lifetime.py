"""lifetime: the socket goes with its server, and only its own does."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

from harness.checks.check import Check, Finding, broken, held, not_applicable
from harness.testbed.server import StartError

if TYPE_CHECKING:
    from harness.testbed.testbed import Testbed

HOLDS = (
    "When the server ends, its socket is gone; a successor's socket at the same name stays, and so does one that "
    "whoever started the server made for it."
)


def attack(testbed: Testbed) -> Finding:
    """Stop it and look; then let a successor take the name before the first one ends."""
    if testbed.no_path:
        return not_applicable(testbed.no_path)
    if testbed.deaf:
        return broken(
            f"at its first start it did not end within {testbed.subject.patience:.0f} s of "
            f"{signal.Signals(testbed.subject.stop).name}, and was killed; --stop names another signal"
        )
    if testbed.subject.activated:
        if not _stays(testbed):
            return broken(
                f"{testbed.endpoint} is gone when the server has ended, and whoever made it listens there still"
            )
        return held("the socket that was made for it stays when it ends, as it must for whoever starts it again")
    if _stays(testbed):
        return broken(f"{testbed.endpoint} is still there when the server has ended")
    if "*" in testbed.endpoint:
        return held("the socket is gone at the end; no successor takes the same name")
    testbed.lay()
    with testbed.serve() as first:
        path = first.endpoint
        testbed.root("rm", path)
        try:
            with testbed.serve(seconds=max(testbed.settling, testbed.left / 2)) as successor:
                before = testbed.look(path)[path]
                testbed.stop(first)
                after = testbed.look(path)[path]
                if after is None or before is None or after["inode"] != before["inode"]:
                    return broken("the socket is gone at the end, but the end of a server removes its successor's too")
                answer = testbed.ask(successor, testbed.asker, "successor")
        except StartError as error:
            return held(f"the socket is gone at the end; there can be no successor while it lives: {error}")
    if answer["kind"] not in ("accepted", "refused"):
        return broken(f"after the end of the first server its successor does not answer ({answer['kind']})")
    return held("the socket is gone at the end, and a successor's at the same name stays")


def _stays(testbed: Testbed) -> bool:
    """Whether the socket is there when the server has ended in its own way, which the first start may have shown."""
    if testbed.stays is not None:
        return testbed.stays
    testbed.lay()
    with testbed.serve() as running:
        testbed.stop(running)
    return testbed.look(running.endpoint)[running.endpoint] is not None


CHECK = Check("lifetime", HOLDS, attack)
