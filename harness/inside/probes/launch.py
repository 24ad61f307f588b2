"""Start a server from inside the place, as somebody, and end it with everything that it started. Runs as root."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import time
from typing import TYPE_CHECKING, NamedTuple

from harness.inside.probes.person import become

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

SUBREAPER = 36
"""PR_SET_CHILD_SUBREAPER (linux/prctl.h): orphans of our children become our children."""


class Order(NamedTuple):
    """What to start, as whom and how."""

    command: list[str]
    person: Mapping[str, Any]
    environment: Mapping[str, str]
    umask: int
    stop: int


def adopt_orphans() -> None:
    """Let every process that a server leaves behind come to us."""
    ctypes.CDLL(None, use_errno=True).prctl(SUBREAPER, 1, 0, 0, 0)


def start(order: Order, before: Callable[[], None] | None = None) -> int:
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
        os.umask(order.umask)
        os.chdir("/")
        become(order.person)
        if before is not None:
            before()
        os.execvpe(order.command[0], order.command, dict(order.environment))
    finally:
        os._exit(127)


def children() -> list[int]:
    """Our own children, zombies included."""
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with contextlib.suppress(OSError), open(f"/proc/{entry}/stat", encoding="latin-1") as stat:
                if int(stat.read().rpartition(")")[2].split()[1]) == os.getpid():
                    found.append(int(entry))
    return found


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
