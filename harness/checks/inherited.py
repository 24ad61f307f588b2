"""inherited: a program that the server starts gets none of its descriptors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.checks.check import Check
from harness.finding import Finding, broken, held

if TYPE_CHECKING:
    from harness.testbed.testbed import Testbed

HOLDS = (
    "No descriptor of the server but the standard three leaks into a program that it starts. Where it can be "
    "made to start one, that program's descriptors are read; else every socket of the server is close-on-exec."
)

SHOWN = 4


def attack(testbed: Testbed) -> Finding:
    """Read the descriptors of a child, or the flags of the server's own, while a client is connected."""
    testbed.lay()
    with testbed.serve() as running:
        child = testbed.subject.child_descriptors(testbed, running)
        if child is not None:
            evidence = {"child": child}
            if child:
                more = f" and {len(child) - SHOWN} more descriptors" if len(child) > SHOWN else ""
                return broken(f"a program that it started got {', '.join(child[:SHOWN])}{more}", **evidence)
            return held("a program that it started got nothing but the standard three", **evidence)
        testbed.open_to_all(running)
        with testbed.holding(
            "hold",
            testbed.principal("stranger"),
            endpoint=running.endpoint,
            speaks=testbed.subject.speaks,
            count=1,
        ):
            testbed.ask(running, "root", "while-another-is-connected")
            seen = testbed.descriptors(running)
    program = seen["processes"][0]["program"]
    sockets, open_ones = 0, []
    for process in seen["processes"]:
        for each in process["descriptors"] or []:
            is_socket = each["what"].startswith("socket:") and each["number"] > 2
            sockets += is_socket
            if is_socket and not each["close_on_exec"]:
                what = f"the listening socket {each['listens']}" if "listens" in each else "a connection"
                open_ones.append(f"descriptor {each['number']} of pid {process['pid']}, {what}")
    if open_ones:
        return broken(f"any program that it starts inherits {'; '.join(open_ones)}", processes=seen["processes"])
    return held(f"all {sockets} sockets of {program} are close-on-exec", processes=seen["processes"])


CHECK = Check("inherited", HOLDS, attack)
