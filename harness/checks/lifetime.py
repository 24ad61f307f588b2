"""lifetime: the socket goes with its server, and only its own does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.checks.check import Check
from harness.finding import Finding, broken, held, not_applicable
from harness.testbed.testbed import StartError

if TYPE_CHECKING:
    from harness.testbed.testbed import Bench

HOLDS = "When the server ends, its socket is gone; a successor's socket at the same name stays."


def attack(bench: Bench) -> Finding:
    """Stop it and look; then let a successor take the name before the first one ends."""
    if bench.no_path:
        return not_applicable(bench.no_path)
    bench.lay()
    with bench.serve() as running:
        path = running.endpoint
        try:
            bench.stop(running)
        except TimeoutError:
            return broken(f"it did not end within {bench.subject.patience:.0f} s of signal {bench.subject.stop:d}")
    if bench.look(path)[path] is not None:
        return broken(f"{path} is still there when the server has ended")
    if "*" in bench.endpoint:
        return held("the socket is gone at the end; no successor takes the same name")
    bench.lay()
    with bench.serve() as first:
        bench.root("rm", path)
        try:
            with bench.serve() as successor:
                before = bench.look(path)[path]
                bench.stop(first)
                after = bench.look(path)[path]
                if after is None or before is None or after["inode"] != before["inode"]:
                    return broken("the socket is gone at the end, but the end of a server removes its successor's too")
                answer = bench.ask(successor, "root", "successor")
        except StartError as error:
            return held(f"the socket is gone at the end; there can be no successor while it lives: {error}")
    if answer["kind"] not in ("accepted", "refused"):
        return broken(f"after the end of the first server its successor does not answer ({answer['kind']})")
    return held("the socket is gone at the end, and a successor's at the same name stays")


CHECK = Check("lifetime", HOLDS, attack)
