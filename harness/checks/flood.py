"""flood: one user's connections, however many, don't take another's place."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.checks.check import Check, Finding, broken, held, not_applicable, not_known, told

if TYPE_CHECKING:
    from harness.testbed.server import RunningServer
    from harness.testbed.testbed import Testbed

HOLDS = (
    "When one user opens as many connections as the server's limit of descriptors allows and more, three times, "
    "another user still gets in and is answered within five seconds, each time and afterwards."
)
FILES = 1024
"""The soft limit that a login session gives to a server."""
EXCESS = 128
FLOODS = 3
"""Some servers lose others now and then: so often a flood must have come to nothing."""
DEADLINE = 5.0


def attack(testbed: Testbed) -> Finding:
    """Fill it up as one user, and ask as another."""
    if testbed.subject.speaks == "nothing" and testbed.type != "dgram":
        return not_applicable("without a protocol that it speaks, no answer can be awaited: give --speaks")
    testbed.lay()
    with testbed.serve(files=FILES) as running:
        testbed.open_to_all(running)
        other = testbed.served(running)
        finding = _flood(testbed, running, other)
        for _ in range(FLOODS - 1):
            if finding.verdict == "held":
                finding = _flood(testbed, running, other)
        return finding


def _flood(testbed: Testbed, running: RunningServer, other: str) -> Finding:
    with testbed.holding(
        "hold",
        testbed.principal("stranger"),
        endpoint=running.endpoint,
        speaks=testbed.subject.speaks,
        count=FILES + EXCESS,
    ) as said:
        answer = testbed.ask(running, other, "beside-a-flood", DEADLINE, again=True)
    what = "sockets, with a datagram from each," if testbed.type == "dgram" else "connections"
    opened = f"the stranger opened {said['held']} {what} to a server with {FILES} descriptors"
    if (then := said["unfinished"] or said["refusal"]) is not None:
        opened += f" (then {then})"
    if answer["kind"] != "accepted":
        return broken(f"{opened}; {other} did not get in ({told(answer)})", flood=said, answer=answer)
    if answer["seconds"] > DEADLINE:
        return broken(f"{opened}; {other} waited {answer['seconds']:.3f} s for an answer", flood=said, answer=answer)
    later = testbed.ask(running, other, "after-a-flood", DEADLINE, again=True)
    if later["kind"] != "accepted":
        return broken(
            f"{opened}, and left; {other} did not get in any more ({told(later)})",
            flood=said,
            answer=later,
        )
    if said["unfinished"]:
        return not_known(
            f"{opened}, which is no flood yet; {other} was answered: try it where the server has more of the processor",
            flood=said,
            answer=answer,
        )
    return held(
        f"{opened}, {FLOODS} times; {other} was answered each time, at last after {answer['seconds']:.3f} s",
        flood=said,
        answer=answer,
    )


CHECK = Check("flood", HOLDS, attack)
