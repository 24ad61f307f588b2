"""slow-peer: users who never finish their requests don't keep another from being served."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.checks.check import Check, Finding, broken, held, not_applicable, not_known

if TYPE_CHECKING:
    from harness.testbed.testbed import Testbed

HOLDS = (
    "While one user holds a hundred connections with half a request on each, another user is answered "
    "within five seconds."
)
PEERS = 100
DEADLINE = 5.0


def attack(testbed: Testbed) -> Finding:
    """Open a hundred half requests as one user, and ask as another."""
    if testbed.type == "dgram":
        return not_applicable("a datagram is there as a whole or not at all, so there is no half request")
    if testbed.subject.speaks == "nothing":
        return not_applicable("without a protocol that it speaks, no answer can be awaited: give --speaks")
    testbed.lay()
    with testbed.serve() as running:
        testbed.open_to_all(running)
        other = testbed.served(running)
        calm = testbed.ask(running, other, "calm")
        with testbed.holding(
            "hold",
            testbed.principal("stranger"),
            endpoint=running.endpoint,
            speaks=testbed.subject.speaks,
            count=PEERS,
        ) as said:
            answer = testbed.ask(running, other, "beside-slow-peers", DEADLINE, again=True)
    seen = f"with {said['held']} half requests of the stranger open, {other}"
    if answer["kind"] != "accepted":
        return broken(f"{seen} got no answer within {DEADLINE:.0f} s ({answer['kind']})", calm=calm, answer=answer)
    if said["unfinished"]:
        return not_known(
            f"the stranger opened {said['held']} half requests and not {PEERS} (then {said['unfinished']}); {other} "
            "was answered: try it where the server has more of the processor",
            calm=calm,
            answer=answer,
        )
    if said["held"] < PEERS:
        seen = f"the stranger could open {said['held']} only ({said['refusal']}); {other}"
    return held(
        f"{seen} was answered after {answer['seconds']:.3f} s (before: {calm['seconds']:.3f} s)",
        calm=calm,
        answer=answer,
    )


CHECK = Check("slow-peer", HOLDS, attack)
