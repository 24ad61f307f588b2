"""Start a server from inside the place, as somebody, and end it with everything that it started. Runs as root."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from typing import TYPE_CHECKING

from harness.inside import libc, procfs
from harness.inside.principal import become

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.inside.reports import Launch

SUBREAPER = 36
"""PR_SET_CHILD_SUBREAPER (linux/prctl.h): orphans of our children become our children."""


def adopt_orphans() -> None:
    """Let every process that a server leaves behind come to us."""
    libc.prctl(SUBREAPER, 1)


def start(launch: Launch, before: Callable[[], None] | None = None) -> int:
    """Start it, silently, in a session of its own; the pid."""
    pid = os.fork()
    if pid:
        return pid
    try:
        os.setsid()
        nowhere = os.open("/dev/null", os.O_RDWR)
        for number in (0, 1, 2):
            os.dup2(nowhere, number)
        os.closerange(3, 256)
        os.umask(launch["umask"])
        os.chdir("/")
        become(launch["person"])
        if before is not None:
            before()
        os.execvpe(launch["command"][0], launch["command"], launch["environment"])
    finally:
        os._exit(127)


def children() -> list[int]:
    """Our own children, zombies included."""
    return procfs.children().get(os.getpid(), [])


def end(pid: int, number: int, seconds: float, keep: frozenset[int] = frozenset()) -> None:
    """Send the signal, wait, kill what is left; every child but those to keep is gone afterwards."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
    until = time.monotonic() + seconds
    ended = False
    while not ended and time.monotonic() < until:
        try:
            ended = os.waitpid(pid, os.WNOHANG)[0] == pid
        except ChildProcessError:
            ended = True
        if not ended:
            time.sleep(0.002)
    while True:
        left = [child for child in children() if child not in keep]
        if not left:
            return
        for child in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(child, 0)
