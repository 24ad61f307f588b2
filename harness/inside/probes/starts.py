"""A server is started again and again, while people who may not connect hammer at the door. Runs as root.

Each of them is a process that tries to connect without a pause from before each start until the server has answered
and is told to end, or until it gets in: one success is a breach, and ends the series. Beside them root watches the
mode.
"""

from __future__ import annotations

import contextlib
import errno
import glob
import json
import os
import signal
import stat
import sys
import time
from typing import TYPE_CHECKING

from harness.inside.libc import PR_SET_PDEATHSIG, prctl
from harness.inside.principal import become
from harness.inside.probes import launch
from harness.inside.probes.endpoint import find, knock
from harness.inside.probes.ready import wait
from harness.inside.procfs import descendants

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.inside.messages import EncodedPerson
    from harness.inside.reports import HammerReport, Launch, StartsReport

ENDING = 0.5
"""Seconds for one end: some are deaf right after their start, and only starts matter here."""
POLITENESS = 10
"""Of those who hammer: they have every processor that is free, and take none from the server, which is to start."""


def main(
    endpoint: str,
    speaks: str,
    order: Launch,
    outsiders: list[EncodedPerson],
    fewest: int,
    most: int,
    seconds: float,
    patience: float,
    leftovers: str | None,
) -> None:
    """Print a `StartsReport`: as many starts as these seconds allow, within `fewest` and `most`.

    `patience` is how long a start may take; what has not ended `ENDING` after it was told to is killed. Sockets that
    one leaves in the directory `leftovers` are removed.
    """
    launch.adopt_orphans()
    hammers = {person["label"]: _hammer(endpoint, person) for person in outsiders}
    keep = frozenset(pid for pid, _ in hammers.values())
    modes: set[int] = set()
    made = ready = 0
    until = time.monotonic() + seconds
    while (made < fewest or (made < most and time.monotonic() < until)) and not any(_has_ended(pid) for pid in keep):
        made += 1
        pid = launch.start(order)
        watched = _watch(pid, endpoint, speaks, keep, patience)
        modes |= watched or set()
        ready += watched is not None
        with _paused(keep):
            launch.end(pid, order["stop"], min(ENDING, patience), keep)
            _clear(leftovers)
    results: dict[str, HammerReport] = {}
    for label, (pid, hear) in hammers.items():
        os.kill(pid, signal.SIGTERM)
        with os.fdopen(hear) as said:
            results[label] = json.loads(said.read())
        os.waitpid(pid, 0)
    report: StartsReport = {
        "starts": made,
        "ready": ready,
        "modes": [f"{mode:04o}" for mode in sorted(modes)],
        "outsiders": results,
    }
    print(json.dumps(report))


@contextlib.contextmanager
def _paused(hammers: frozenset[int]) -> Iterator[None]:
    """Nobody tries meanwhile: only starts matter, and an end is over sooner with the processor to itself."""
    for each in hammers:
        os.kill(each, signal.SIGSTOP)
    yield
    for each in hammers:
        os.kill(each, signal.SIGCONT)


def _clear(directory: str | None) -> None:
    """Remove the sockets in a directory."""
    for path in [] if directory is None else glob.glob(f"{directory}/*") + glob.glob(f"{directory}/.*"):
        with contextlib.suppress(FileNotFoundError):
            if stat.S_ISSOCK(os.lstat(path).st_mode):
                os.unlink(path)


def _has_ended(pid: int) -> bool:
    """Whether a child has ended; it stays to be waited for (waitid(2), WNOWAIT)."""
    if sys.platform == "darwin":
        raise OSError(errno.ENOTSUP, "Python has no waitid(2) here")
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _watch(pid: int, endpoint: str, speaks: str, keep: frozenset[int], seconds: float) -> set[int] | None:
    """The modes that the socket had until the server answered; `None` if it never did."""
    modes: set[int] = set()

    def note() -> None:
        with contextlib.suppress(OSError, TypeError):
            modes.add(stat.S_IMODE(os.lstat(find(endpoint) or "").st_mode))

    def running() -> bool:
        return not _has_ended(pid) or any(each not in keep for each in descendants(os.getpid()))

    # Who forks and ends while /proc is read is missed once, and not twice.
    return modes if wait(endpoint, speaks, lambda: running() or running(), seconds, note) else None


def _hammer(endpoint: str, person: EncodedPerson) -> tuple[int, int]:
    """The process that tries, and the pipe on which it says in the end how that went."""
    hear, say = os.pipe()
    pid = os.fork()
    if pid:
        os.close(say)
        return pid, hear
    try:
        os.close(hear)
        os.nice(POLITENESS)
        become(person)
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)  # who is killed can't tell them to end
        tries: dict[str, int] = {}
        breach: str | None = None
        going = [True]
        signal.signal(signal.SIGTERM, lambda *_: going.clear())
        while going:
            outcome = knock(endpoint)
            if outcome == "ok":
                going.clear()
                with contextlib.suppress(OSError):
                    breach = f"{stat.S_IMODE(os.lstat(find(endpoint) or '').st_mode):04o}"
            tries[outcome] = tries.get(outcome, 0) + 1
        report: HammerReport = {"tries": tries, "mode": breach}
        with os.fdopen(say, "w") as result:
            json.dump(report, result)
    finally:
        os._exit(0)
