"""takeover-stale: what a crashed server left does not stop the next start."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.checks.check import Check, Finding, broken, held, not_applicable
from harness.testbed.server import StartError

if TYPE_CHECKING:
    from harness.testbed.testbed import Testbed

HOLDS = "After a crash, the socket that is left behind does not keep the same server of the same user from starting."


def attack(testbed: Testbed) -> Finding:
    """Kill it with SIGKILL and start it again."""
    if "*" in testbed.endpoint:
        return not_applicable("it takes a new name in a new directory at each start, so it never meets what it left")
    if testbed.subject.activated:
        return not_applicable("it does not make its socket: whoever starts it does")
    testbed.lay()
    with testbed.serve() as first:
        testbed.kill(first)
    left = None if testbed.no_path else testbed.look(first.endpoint)[first.endpoint]
    try:
        with testbed.serve():
            pass
    except StartError as error:
        return broken(f"after a crash {error}")
    if testbed.no_path:
        return held("after a crash it starts again at once: a port leaves nothing behind")
    return held("after a crash it starts again" + ("" if left else ", though it left no socket"))


CHECK = Check("takeover-stale", HOLDS, attack)
