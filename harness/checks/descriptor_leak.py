"""descriptor-leak: connections leave no descriptor behind."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.checks.model import Check
from harness.finding import Finding, broken, held

if TYPE_CHECKING:
    from harness.checks.bench import Bench

HOLDS = (
    "A thousand connections, a fifth of them broken off, leave no descriptor behind: the server's number of "
    "descriptors does not grow with the number of its clients."
)
EACH = 500
"""Connections in each of two rounds. What a server opens once and keeps grows its number in one round, a leak in
both."""


def attack(bench: Bench) -> Finding:
    """Count, connect a thousand times, count again."""
    bench.lay()
    with bench.serve() as running:
        bench.open_to_all(running)
        inspector = bench.inspector(running)
        said = bench.probe(
            "many",
            inspector,
            endpoint=running.endpoint,
            speaks=bench.subject.speaks,
            pid=running.pid,
            person=bench.person(bench.owner) if inspector.uid == 0 else None,
            connections=EACH,
            seconds=10.0,
        )
    before, between, after = said["counts"]
    counted = f"{before} descriptors, after {EACH} connections {between}, after {2 * EACH} {after}"
    if after > between > before:
        return broken(counted, **said)
    if not said["answered"]:
        return broken(f"none of {2 * EACH} connections was answered", **said)
    return held(f"{counted} ({said['answered']} answered, {said['broken_off']} broken off)", **said)


CHECK = Check("descriptor-leak", HOLDS, attack)
