"""A process that runs already, followed until it ends or the one who follows is told to end."""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING

from harness.trace.calls import machine
from harness.trace.error import TraceError
from harness.trace.tracer import Tracer

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.trace.failed_call import FailedCall


def follow(pid: int, failed: Callable[[FailedCall], None]) -> None:
    """Follow all threads of a process, and what it starts; SIGINT and SIGTERM end that, and leave all as it was.

    It has no filter, so that each of its system calls is a stop. Raises TraceError.
    """
    known = machine()
    if sys.platform != "linux" or known is None:
        raise TraceError("the numbers of this machine's system calls are not known: x86_64 and aarch64 on Linux are")
    tracer = Tracer(known, failed, filtered=False)
    before = {one: signal.signal(one, lambda *_: tracer.leave()) for one in (signal.SIGINT, signal.SIGTERM)}
    try:
        tracer.seize(pid)
        seized: set[int] = {pid}
        while new := _threads(pid) - seized:
            for thread in new:
                seized.add(thread)
                _seize_if_there(tracer, thread)
        tracer.interrupt()
        tracer.follow()
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


def _threads(pid: int) -> set[int]:
    try:
        return {int(name) for name in os.listdir(f"/proc/{pid}/task")}
    except FileNotFoundError:
        return set()


def _seize_if_there(tracer: Tracer, thread: int) -> None:
    """A thread may end at any time."""
    try:
        tracer.seize(thread)
    except TraceError:
        if os.path.exists(f"/proc/{thread}"):
            raise
