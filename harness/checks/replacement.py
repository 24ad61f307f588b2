"""replacement: no other user can put something else at the socket's name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness.checks.check import Check, Finding, broken, held, not_applicable
from harness.world import Attempt

if TYPE_CHECKING:
    from harness.testbed.cast import Location
    from harness.testbed.testbed import Testbed

HOLDS = (
    "No user but the server's own and root can rename or remove the socket: neither in a directory of its "
    "own nor in /tmp."
)


def attack(testbed: Testbed) -> Finding:
    """Let everyone else rename and unlink the socket."""
    if testbed.no_path:
        return not_applicable(testbed.no_path)
    locations: tuple[Location, ...] = ("own",) if "*" in testbed.endpoint else ("own", "tmp")
    faults: list[str] = []
    evidence: dict[str, Any] = {}
    for location in locations:
        testbed.lay(location)
        with testbed.serve() as running:
            path = running.endpoint
            own = (0, testbed.world.uid(testbed.owner), testbed.world.uid(testbed.socket_owner))
            others = [user.name for user in testbed.world.users if user.uid not in own]
            for operation, aside in (("rename", path + ".aside"), ("unlink", None)):
                attempts = [Attempt(name, operation, path, to=aside) for name in others]  # type: ignore[arg-type]
                for attempt, seen in zip(attempts, testbed.attempt(*attempts), strict=True):
                    evidence[f"{attempt.user} {operation} {path}"] = seen.outcome
                    if seen.outcome == "ok":
                        faults.append(f"{attempt.user} could {operation} {path}")
                        break
    if faults:
        return broken("; ".join(faults), **evidence)
    refusals = ", ".join(sorted(set(evidence.values())))
    return held(f"{len(evidence)} attempts to rename or unlink it were refused ({refusals})", **evidence)


CHECK = Check("replacement", HOLDS, attack)
