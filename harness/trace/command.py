"""A command that is followed from its beginning, and ends as it would without.

The process that was called keeps to the signals and waits; a child of its follows. So it can end with the command while
what the command leaves running (a daemon) goes on to be followed: the filter would fail its calls otherwise.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import signal
import sys
from typing import TYPE_CHECKING, Any, Final, NamedTuple, NoReturn

from harness.inside.libc import PR_SET_PDEATHSIG, prctl
from harness.trace import filter as seccomp
from harness.trace import ptrace
from harness.trace.calls import machine
from harness.trace.error import CommandError, TraceError
from harness.trace.tracer import Tracer, filters_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from harness.trace.calls import Machine
    from harness.trace.failed_call import FailedCall

NOT_FOUND, NOT_EXECUTABLE = 127, 126
"""env(1)'s statuses."""
_SHELL: Final = "/bin/sh"
"""What runs a file that the kernel takes for no program, as execvp(3) has it."""
_OWN: Final = (
    *("KILL", "STOP", "CHLD", "CONT", "TSTP", "TTIN", "TTOU"),
    *("ILL", "TRAP", "ABRT", "BUS", "FPE", "SEGV", "SYS", "PIPE", "XFSZ"),
)
"""Signals that nobody can pass on or that are for a whole job, and those for what a process does itself."""
PASSED_ON: Final[frozenset[int]] = (
    frozenset()
    if sys.platform == "win32"
    else frozenset(signal.valid_signals()) - {getattr(signal, f"SIG{name}") for name in _OWN}
)
"""Signals for the command, where somebody sends them to the process that was called."""
_GO: Final = b"g"
"""What the command's process waits for: it is followed. If whoever follows dies before that, the pipe ends instead."""
_NOT_IGNORED: Final = ("SIGPIPE", "SIGXFSZ")
"""What Python ignores, and the command should not."""


class _Signals(NamedTuple):
    """How signals were before: which were blocked, and what was done about children that end."""

    mask: set[signal.Signals] | set[int]
    about_children: Any


def run(
    command: Sequence[str], failed: Callable[[FailedCall], None], ended: Callable[[Mapping[str, str]], None]
) -> int:
    """Run a command; returns its wait status.

    `failed` is told of each call that failed, and `ended` once, when the command has ended, of the programs that lacked
    what their files give. Both are called in the process that follows. Raises TraceError and CommandError.
    """
    known = machine()
    if sys.platform != "linux" or known is None:
        raise TraceError("the numbers of this machine's system calls are not known: x86_64 and aarch64 on Linux are")
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {*PASSED_ON, signal.SIGCHLD})
    about_children = signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # if they are ignored, there is nothing to wait for
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    front = os.getpid()
    follower = os.fork()
    if follower == 0:
        os.close(reading)
        _follow(known, command, failed, ended, writing, front, _Signals(before, about_children))
    os.close(writing)
    try:
        return _wait(reading, follower)
    finally:
        os.close(reading)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(follower, os.WNOHANG)  # it may have something left to follow
        signal.signal(signal.SIGCHLD, about_children)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def own_filters() -> int:
    """How many filters a command gets to be followed by: none where this process has one itself, which hides calls."""
    return 0 if filters_of(os.getpid()) else 1


def end_alike(status: int) -> int:
    """The exit status of a wait status; of a process that a signal has ended, this one ends by the same."""
    if not os.WIFSIGNALED(status):
        return os.WEXITSTATUS(status)
    import resource  # noqa: PLC0415 - this once

    number = os.WTERMSIG(status)
    _, most = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, most))
    with contextlib.suppress(OSError, ValueError):
        signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
    return 128 + number


def _wait(reading: int, follower: int) -> int:
    """Until the follower has told of the command's end; meanwhile signals that somebody sends are passed on."""
    if sys.platform != "linux":
        raise AssertionError
    said: dict[str, str] = {}
    caught: list[int] = []
    text = b""
    while True:
        while b"\n" in text:
            line, _, text = text.partition(b"\n")
            kind, _, rest = os.fsdecode(line).partition(" ")
            said[kind] = rest
        if "lost" in said:
            raise TraceError(said["lost"])
        if "status" in said and "not-started" in said:
            status, _, why = said["not-started"].partition(" ")
            raise CommandError(why, int(status))
        if "status" in said:
            status, _, left = said["status"].partition(" ")
            if left == "0":
                os.waitpid(follower, 0)  # so that what it used counts as ours
            return int(status)
        if "pid" in said:
            while caught:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(said["pid"]), caught.pop())
        try:
            piece = os.read(reading, 4096)
            text += piece
            if not piece:
                said.setdefault("lost", "the process that follows the command has ended too early")
        except BlockingIOError:
            one = signal.sigwaitinfo({*PASSED_ON, signal.SIGCHLD})
            if one.si_signo != signal.SIGCHLD and one.si_code <= 0:
                caught.append(one.si_signo)  # by kill(2); what a terminal sends, it sends to the command too
            if os.waitid(os.P_PID, follower, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None:
                os.set_blocking(reading, True)  # nobody follows: the command's process ends, and the pipe with it


def _follow(
    known: Machine,
    command: Sequence[str],
    failed: Callable[[FailedCall], None],
    ended: Callable[[Mapping[str, str]], None],
    writing: int,
    front: int,
    signals: _Signals,
) -> NoReturn:
    """The follower: it heeds no signal of the terminal's, and dies with who called it until the command has ended.

    After that it is of no session that somebody could end, as what the command has left running need not be either.
    """
    over = False

    def main_ended(status: int) -> None:
        nonlocal over
        over = True
        if tracer.began:
            ended(tracer.shorn)
        prctl(PR_SET_PDEATHSIG, 0)
        os.setsid()
        os.chdir("/")
        _tell(writing, "status", f"{status} {int(tracer.left)}")
        null = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(null, stream)
        os.closerange(3, 1 << 16)
        os.kill(front, signal.SIGCHLD)

    try:
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != front:
            os._exit(0)  # it had ended before that
        waiting, go = os.pipe()
        main = os.fork()
        if main == 0:
            os.close(go)
            _become(command, known, waiting, writing, signals)
        os.close(waiting)
        for one in (*PASSED_ON, signal.SIGTSTP):
            signal.signal(one, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_SETMASK, signals.mask)
        tracer = Tracer(
            known,
            lambda call: None if over else failed(call),
            filtered=bool(own_filters()),
            main=main,
            ended=main_ended,
            halted=lambda halted: os.kill(front, signal.SIGSTOP if halted else signal.SIGCONT),
        )
        tracer.seize(main, ptrace.EXITKILL)
        _tell(writing, "pid", main)
        os.kill(front, signal.SIGCHLD)
        os.write(go, _GO)
        os.close(go)
        tracer.follow()
    except (TraceError, OSError) as error:
        _tell(writing, "lost", error)
        os.kill(front, signal.SIGCHLD)
    finally:
        os._exit(0)


def _become(command: Sequence[str], known: Machine, waiting: int, writing: int, signals: _Signals) -> NoReturn:
    """In the command's own process: once it is followed, be the command. What is sent to it until then waits for it."""
    try:
        if os.read(waiting, len(_GO)) != _GO:
            os._exit(NOT_FOUND)
        signal.signal(signal.SIGCHLD, signals.about_children)
        for name in _NOT_IGNORED:
            signal.signal(getattr(signal, name), signal.SIG_DFL)
        for one in PASSED_ON:
            if callable(signal.getsignal(one)):
                signal.signal(one, signal.SIG_DFL)  # Python's own, which would run before the command is there
        signal.pthread_sigmask(signal.SIG_SETMASK, signals.mask)
        if own_filters():
            seccomp.install(known)
        try:
            os.execvp(command[0], [*command])  # noqa: S606 - no shell is meant
        except OSError as error:
            if error.errno != errno.ENOEXEC:
                raise
            os.execv(_SHELL, [_SHELL, shutil.which(command[0]) or command[0], *command[1:]])  # noqa: S606 - see above
    except OSError as error:
        status = NOT_FOUND if isinstance(error, FileNotFoundError | NotADirectoryError) else NOT_EXECUTABLE
        _tell(writing, "not-started", f"{status} {command[0]} can't be started: {error.strerror}")
    finally:
        os._exit(NOT_FOUND)


def _tell(writing: int, kind: str, what: object) -> None:
    os.write(writing, os.fsencode(f"{kind} {what}".replace("\n", " ")) + b"\n")
