"""A server is started again and again, while people who may not connect hammer at the door. Runs as root.

Each of them is a process that tries to connect without a pause from before the first start to after the last; one success is
a breach. Beside them root watches the mode.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import stat
from typing import TYPE_CHECKING

from harness.checks.probes import launch
from harness.checks.probes.endpoint import connect, find, name
from harness.checks.probes.person import become
from harness.checks.probes.ready import wait

if TYPE_CHECKING:
    from typing import Any


def main(
    endpoint: str,
    speaks: str,
    order: dict[str, Any],
    outsiders: list[dict[str, Any]],
    starts: int,
    seconds: float,
    leftovers: list[str],
) -> None:
    """Print `starts` that became ready, `modes` seen, and `breaches`: who got in, how often, at what mode."""
    launch.adopt_orphans()
    hammers = {person["label"]: _hammer(endpoint, person) for person in outsiders}
    keep = frozenset(pid for pid, _ in hammers.values())
    modes: set[int] = set()
    ready = 0
    for _ in range(starts):
        pid = launch.start(launch.Order(**order))
        watched = _watch(endpoint, speaks, pid, seconds)
        modes |= watched or set()
        ready += watched is not None
        launch.end(pid, order["stop"], seconds, keep)
        for left in leftovers:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(left)
    breaches = {}
    for label, (pid, results) in hammers.items():
        os.kill(pid, signal.SIGTERM)
        os.waitpid(pid, 0)
        with os.fdopen(results) as said:
            breaches[label] = json.loads(said.read())
    print(json.dumps({"starts": ready, "modes": sorted(modes), "outsiders": breaches}))


def _watch(endpoint: str, speaks: str, pid: int, seconds: float) -> set[int] | None:
    """The modes that the socket had until the server answered; `None` if it never did."""
    modes: set[int] = set()

    def note() -> None:
        with contextlib.suppress(OSError, TypeError):
            modes.add(stat.S_IMODE(os.lstat(find(endpoint) or "").st_mode))

    return modes if wait(endpoint, speaks, pid, seconds, note) else None


def _hammer(endpoint: str, person: dict[str, Any]) -> tuple[int, int]:
    """The process that tries, and the pipe on which it says in the end how that went."""
    hear, say = os.pipe()
    pid = os.fork()
    if pid:
        os.close(say)
        return pid, hear
    try:
        os.close(hear)
        become(person)
        tries: dict[str, int] = {}
        modes: set[int] = set()
        going = [True]
        signal.signal(signal.SIGTERM, lambda *_: going.clear())
        while going:
            try:
                connect(endpoint, 1.0).close()
                outcome = "ok"
                with contextlib.suppress(OSError):
                    modes.add(stat.S_IMODE(os.lstat(find(endpoint) or "").st_mode))
            except OSError as error:
                outcome = name(error)
            tries[outcome] = tries.get(outcome, 0) + 1
        with os.fdopen(say, "w") as result:
            json.dump({"tries": tries, "modes": sorted(modes)}, result)
    finally:
        os._exit(0)
