"""A thousand connections of somebody, and how many descriptors the server holds before and after.

Counted as who we are, who may look into the server's processes; connected as `person`, where one is given.
"""

from __future__ import annotations

import contextlib
import json
import time
from typing import TYPE_CHECKING

from harness.inside.dialects import ask, dialect
from harness.inside.principal import act_as
from harness.inside.probes.descriptors import descriptors
from harness.inside.probes.endpoint import connect
from harness.inside.procfs import descendants

if TYPE_CHECKING:
    from harness.inside.messages import EncodedPrincipal
    from harness.inside.reports import ManyReport

WARM = 20
ONE = "many"
"""One token for all: what a server keeps for each session is no leak."""
FEWEST = 10
"""Connections of each round, however long they take."""
SETTLE = (2.0, 4.0)
"""Seconds after the first and after the second round within which a server must have closed what its clients closed."""
PAUSE = 0.02


def count(pid: int) -> int:
    """Descriptors of all processes of a start."""
    held = 0
    for each in descendants(pid):
        with contextlib.suppress(FileNotFoundError):
            held += len(descriptors(each))
    return held


def settled(pid: int, limit: int | None, seconds: float) -> int:
    """The count, once it is down to the limit or has not changed for a while, or these seconds are over."""
    until = time.monotonic() + seconds
    now = count(pid)
    steady = 0
    while time.monotonic() < until and (limit is None or now > limit) and (limit is not None or steady < 5):
        time.sleep(PAUSE)
        before, now = now, count(pid)
        steady = steady + 1 if now == before else 0
    return now


def _stay(person: EncodedPrincipal | None) -> None:
    """Be who we are."""


def main(
    endpoint: str,
    speaks: str,
    supervisor: int,
    person: EncodedPrincipal | None,
    connections: int,
    seconds: float,
    longest: float,
) -> None:
    """Print a `ManyReport`: two rounds of at most so many connections and `longest` seconds, of `FEWEST` at least.

    Every fifth connection is broken off in the middle of its request.
    """
    act = act_as if person else _stay
    act(person)
    for _ in range(WARM):
        ask(endpoint, speaks, ONE, seconds)
    act(None)
    counts = [settled(supervisor, None, SETTLE[0])]
    answered = broken_off = refused = 0
    made: list[int] = []
    for patience in SETTLE:
        act(person)
        until = time.monotonic() + longest
        for number in range(connections):
            if number >= FEWEST and time.monotonic() > until:
                break
            if number % 5 == 4:
                with contextlib.suppress(OSError), connect(endpoint, seconds) as connection:
                    dialect(speaks).begin(connection)
                    broken_off += 1
            elif ask(endpoint, speaks, ONE, seconds).answered:
                answered += 1
            else:
                refused += 1
        act(None)
        made.append(answered + broken_off + refused)
        counts.append(settled(supervisor, counts[-1], patience))
    report: ManyReport = {"counts": counts, "made": made, "answered": answered, "broken_off": broken_off}
    print(json.dumps(report))
