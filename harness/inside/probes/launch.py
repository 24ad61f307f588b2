"""Start a server from inside the place, as somebody, and end it with everything that it started. Runs as root."""

from __future__ import annotations

import contextlib
import os
import resource
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
PAUSE = 0.002


def adopt_orphans() -> None:
    """Let every process that a server leaves behind come to us."""
    libc.prctl(SUBREAPER, 1)


def start(
    launch: Launch,
    before: Callable[[], None] | None = None,
    *,
    output: tuple[int, int] | None = None,
    passed: int | None = None,
) -> int:
    """Start it in a session of its own, with nothing on its standard input; the pid.

    It is silent unless `output` has descriptors for what it says, and for what keeps it from being started. `passed`
    becomes its descriptor 3, as sd_listen_fds(3) has it. `before` is called last, as who it will be.
    """
    pid = os.fork()
    if pid:
        return pid
    command = launch["command"]
    try:
        os.setsid()
        nowhere = os.open("/dev/null", os.O_RDWR)
        kept = [nowhere, *(output or (nowhere, nowhere)), *([] if passed is None else [passed])]
        high = [_above(descriptor) for descriptor in kept]
        for number, descriptor in enumerate(high):
            os.dup2(descriptor, number)
        os.closerange(len(high), 256)
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGPIPE, signal.SIGCHLD, signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
        os.umask(launch["umask"])
        os.chdir(launch["directory"])
        if launch["files"] is not None:
            resource.setrlimit(resource.RLIMIT_NOFILE, (launch["files"], launch["files"]))
        environment = dict(launch["environment"])
        if passed is not None:
            environment.update({"LISTEN_FDS": "1", "LISTEN_PID": str(os.getpid())})
        become(launch["person"])
        if before is not None:
            before()
        os.execvpe(command[0], command, environment)
    except OSError as error:
        where = launch["directory"] if error.filename == launch["directory"] else command[0]
        os.write(2, f"{where}: {error.strerror}\n".encode())
    finally:
        os._exit(127)


def _above(descriptor: int) -> int:
    """The same descriptor under a number that nothing is moved to."""
    while descriptor < 10:
        descriptor = os.dup(descriptor)
    return descriptor


def children() -> list[int]:
    """Our own children, zombies included."""
    return procfs.children().get(os.getpid(), [])


def end(pid: int, number: int, seconds: float, keep: frozenset[int] = frozenset()) -> None:
    """Send the signal, wait, kill what is left; every child but those to keep is gone afterwards.

    The signal goes to the process that was started, and where that leaves others behind, to these.
    """
    told: set[int] = set()
    until = time.monotonic() + seconds
    left = _left(keep)
    while left and time.monotonic() < until:
        for child in [pid] if pid in left else left:
            if child not in told:
                told.add(child)
                with contextlib.suppress(ProcessLookupError):
                    os.kill(child, number)
        time.sleep(PAUSE)
        left = _left(keep)
    while True:
        left = _left(keep)
        if not left:
            return
        for child in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(child, 0)


def _left(keep: frozenset[int]) -> list[int]:
    """Our children but those to keep that run; whoever has ended is waited for."""
    left = []
    for child in children():
        if child not in keep:
            try:
                ended = os.waitpid(child, os.WNOHANG)[0]
            except ChildProcessError:
                continue
            if not ended:
                left.append(child)
    return left
