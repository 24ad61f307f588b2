"""A process that runs already, followed until it ends or the one who follows is told to end."""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING, Final

from harness.inside.procfs import field
from harness.trace.calls import machine
from harness.trace.error import TraceError
from harness.trace.tracer import Tracer

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.trace.failed_call import FailedCall

HEEDED_WITHIN: Final = 0.25
"""Seconds after which a signal is heeded at the latest."""


def follow(pid: int, failed: Callable[[FailedCall], None]) -> None:
    """Follow all threads of a process, and what it starts; SIGINT and SIGTERM end that, and leave all as it was.

    It has no filter, so that each of its system calls is a stop. Raises TraceError.
    """
    known = machine()
    if sys.platform != "linux" or known is None:
        raise TraceError("the numbers of this machine's system calls are not known: x86_64 and aarch64 on Linux are")
    tracer = Tracer(known, failed, filtered=False)
    before = {one: signal.signal(one, lambda *_: tracer.leave()) for one in (signal.SIGINT, signal.SIGTERM)}
    # A handler is run between two steps of Python: for a signal that comes just before a wait begins, once that ends.
    before[signal.SIGALRM] = signal.signal(signal.SIGALRM, lambda *_: None)
    signal.setitimer(signal.ITIMER_REAL, HEEDED_WITHIN, HEEDED_WITHIN)
    try:
        tried: set[int] = set()
        while new := _threads(pid) - tried:
            alone = len(new | tried) == 1
            tried |= new
            for thread in sorted(new):
                _seize_if_there(tracer, thread, alone=alone)
        if not tried:
            raise TraceError(f"no process has pid {pid}")
        tracer.interrupt()
        tracer.follow()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for one, handler in before.items():
            signal.signal(one, handler)


def _threads(pid: int) -> set[int]:
    try:
        return {int(name) for name in os.listdir(f"/proc/{pid}/task")}
    except FileNotFoundError:
        return set()


def _seize_if_there(tracer: Tracer, thread: int, *, alone: bool) -> None:
    """A thread may end at any time, and one that was made since is followed with the one that made it.

    The first thread may have ended long before the others, and stays until they do.
    """
    try:
        tracer.seize(thread)
    except TraceError:
        state, follower = field(thread, "State")[:1], field(thread, "TracerPid")
        if state and follower != str(os.getpid()) and (alone or state not in {"Z", "X"}):
            raise
