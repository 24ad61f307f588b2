"""One start and one stop that nobody disturbs: what a testbed learns about its server before the attacks."""

from __future__ import annotations

from dataclasses import dataclass, replace
from time import monotonic
from typing import TYPE_CHECKING

from harness.testbed.readiness import await_server
from harness.testbed.server import StartError
from harness.testbed.testbed import CHECK, QUICK
from harness.world import Node

if TYPE_CHECKING:
    from harness.inside.reports import ServerReport, Sighting
    from harness.testbed.server import RunningServer
    from harness.testbed.testbed import Testbed

WAIT = 4
"""How many times longer than its start whatever else a server decides at its start may take."""

LEAST_WAIT, LEAST = 1.5, 0.3
"""How many times longer than its start, and how many seconds more, it gets at the very least: before that, nobody has
seen what it does."""
STARTS = 10
"""How many starts a check gets the time for, where starts are so slow that they take longer than a check should."""
SLOW = 0.2
"""Seconds: a server that takes longer to end is killed where only its starts matter."""


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What was seen: seconds until it answered, seconds until it had ended (`None`: it had to be killed), what stood at
    its path, every endpoint at which it is reached, and its program."""

    started: float
    ended: float | None
    socket: Sighting | None
    doors: tuple[str, ...]
    program: str


def rehearse(testbed: Testbed) -> Rehearsal:
    """Start and stop it, and tell the testbed what that taught. Raises StartError if it can't be checked."""
    testbed.lay()
    above = [] if testbed.no_path or "*" in testbed.endpoint else testbed.above()
    laid = testbed.look(*above)
    before = monotonic()
    running = testbed.start()
    try:
        await_server(testbed, running)
        started = monotonic() - before
        served = testbed.served_by(running)
        _choose_socket(testbed, running, served)
        there = None if testbed.no_path else testbed.look(running.endpoint)[running.endpoint]
        made = {path: there for path, there in testbed.look(*above).items() if there and not laid[path]}
        doors = tuple(served["doors"])
        program = served["program"]
        ended = _stop(testbed, running)
        left = None if testbed.no_path else testbed.look(running.endpoint)[running.endpoint]
    finally:
        testbed.kill(running)
    testbed.settling = min(testbed.subject.patience, max(QUICK, WAIT * started))
    testbed.least = min(testbed.subject.patience, LEAST_WAIT * started + LEAST)
    testbed.limit = max(CHECK, STARTS * started)
    testbed.finished = there
    testbed.made = tuple(Node(path, "directory", one["uid"], one["gid"], one["mode"]) for path, one in made.items())
    testbed.stays = None if ended is None else left is not None
    testbed.deaf = ended is None
    testbed.slow_to_stop = ended is None or ended > SLOW
    own = testbed.subject.own_check is not None
    if there is not None and (own or (testbed.subject.at_most and not there["mode"] & ~testbed.mode)):
        testbed.mode = there["mode"]
    return Rehearsal(started, ended, there, doors, program)


def _choose_socket(testbed: Testbed, running: RunningServer, served: ServerReport) -> None:
    """Of a server that was given a directory, take the name that it chose there. Raises StartError if it chose more."""
    if testbed.subject.names_a_directory:
        names = [door for door in served["doors"] if door.startswith(f"{testbed.directory}/")]
        if len(names) > 1:
            raise StartError(
                f"it listens at {', '.join(names)}: name the one to be attacked with --socket NAME, and the others "
                "that are meant with --door"
            )
        testbed.subject = replace(testbed.subject, socket=running.endpoint.rpartition("/")[2])


def _stop(testbed: Testbed, running: RunningServer) -> float | None:
    before = monotonic()
    try:
        testbed.stop(running)
    except TimeoutError:
        return None
    return monotonic() - before
