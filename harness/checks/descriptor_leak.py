"""descriptor-leak: connections leave no descriptor behind."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.checks.model import Check
from harness.finding import Finding, broken, held

if TYPE_CHECKING:
    from harness.checks.bench import Bench

HOLDS = "After a thousand connections, a fifth of them broken off, the server holds no more descriptors than before."
CONNECTIONS = 1000


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
            connections=CONNECTIONS,
            seconds=10.0,
        )
    counted = f"{said['before']} descriptors before and {said['after']} after {CONNECTIONS} connections"
    if said["after"] > said["before"]:
        return broken(counted, **said)
    if not said["answered"]:
        return broken(f"none of {CONNECTIONS} connections was answered", **said)
    return held(f"{counted} ({said['answered']} answered, {said['broken_off']} broken off)", **said)


CHECK = Check("descriptor-leak", HOLDS, attack)
