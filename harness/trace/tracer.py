"""Following processes from stop to stop, until none of them is left or they are to be left alone."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from typing import TYPE_CHECKING, Final

from harness.inside.procfs import field, status_fields
from harness.trace import ptrace
from harness.trace.calls import CALLS
from harness.trace.error import TraceError
from harness.trace.failed_call import failed_call
from harness.trace.filter import FOLLOWED, TAKES_A_FILTER
from harness.trace.given import shorn

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.trace.calls import Machine
    from harness.trace.failed_call import FailedCall

OPTIONS: Final = ptrace.SYSGOOD | ptrace.FORK | ptrace.VFORK | ptrace.CLONE | ptrace.EXEC
LEFT_WITHIN: Final = 1.0
"""Seconds in which threads are left alone one by one. One that cannot be stopped, since it waits for a vfork(2)'s
child, the kernel leaves alone when this process ends."""
_ENDED: Final = frozenset({"", "Z", "X"})
"""States of a thread that is gone, or has ended before others of its process."""
_TSYNC: Final = 1
"""SECCOMP_FILTER_FLAG_TSYNC (linux/seccomp.h)."""
_STOPPED: Final = 0x7F
_SECCOMP: Final = signal.SIGTRAP | ptrace.EVENT_SECCOMP << 8
_SYSCALL: Final = signal.SIGTRAP | 0x80
_EXECUTED: Final = signal.SIGTRAP | ptrace.EVENT_EXEC << 8
_HALTING: Final = frozenset({int(getattr(signal, name, 0)) for name in ("SIGSTOP", "SIGTSTP", "SIGTTIN", "SIGTTOU")})


class Tracer:
    """Follows threads; `failed` is told of each call that failed, while the thread that made it stands still.

    `filtered`: they have the filter, so that a call stops them only where it is one of those that are followed; else
    each call does, and so does each of a process that has taken a filter of its own. `ended` is told of the end of
    `main`, with its wait status, and `halted` of it when it stops by a signal and when it goes on.
    """

    def __init__(
        self,
        machine: Machine,
        failed: Callable[[FailedCall], None],
        *,
        filtered: bool,
        main: int | None = None,
        ended: Callable[[int], None] = lambda _status: None,
        halted: Callable[[bool], None] = lambda _halted: None,
    ) -> None:
        self._machine = machine
        self._calls = {number: CALLS[name] for name, number in machine.numbers.items() if name in CALLS}
        self._architecture = machine.architecture
        self._failed = failed
        self._filtered = filtered
        self._at_every_call: set[int] = set()
        self._main = main
        self._ended = ended
        self._halted = halted
        self._main_halts = False
        self._threads: set[int] = set()
        self._entries: dict[int, bytes] = {}
        self._sockets: set[str] = set()
        self._leave_by: float | None = None
        self.began = False
        """Whether `main` has begun to run a program."""
        self.shorn: dict[str, str] = {}
        """Programs that ran without the ids or capabilities that their files give, and what these are."""

    def seize(self, thread: int, options: int = 0) -> None:
        """Begin to follow a thread, and all that it will start. Raises TraceError."""
        try:
            ptrace.request(ptrace.SEIZE, thread, OPTIONS | options | (ptrace.SECCOMP if self._filtered else 0))
        except ProcessLookupError:
            raise TraceError(f"no process has pid {thread}") from None
        except OSError as error:
            if (reason := _why_not(thread)) is not None:
                raise TraceError(f"process {thread} can't be followed: {reason}") from error
            raise TraceError(
                f"process {thread} may not be followed by ptrace(2): {error.strerror}. That takes root, or a process "
                "of one's own that nobody follows, and kernel.yama.ptrace_scope = 0 where set"
            ) from error
        self._threads.add(thread)

    @property
    def left(self) -> bool:
        """Whether this process has any child. Only the kernel knows: one may not have begun to run yet."""
        if sys.platform != "linux":
            raise AssertionError
        try:
            os.waitid(os.P_ALL, 0, os.WEXITED | os.WSTOPPED | os.WNOHANG | os.WNOWAIT | ptrace.WALL)
        except ChildProcessError:
            return False
        return True

    def interrupt(self) -> None:
        """Stop every thread that is followed, so that `follow` looks at it. A signal handler may call this."""
        for thread in tuple(self._threads):
            _to_a_thread(ptrace.INTERRUPT, thread)

    def leave(self) -> None:
        """Have `follow` leave all processes alone and return. A signal handler may call this."""
        self._leave_by = time.monotonic() + LEFT_WITHIN
        self.interrupt()
        if os.fork() == 0:
            os._exit(0)  # its end is waited for too, where nothing that is followed can be stopped

    def _leaves(self) -> bool:
        return self._leave_by is not None

    def follow(self) -> None:
        """Until nothing is left that is followed; with a `main`, until this process has no child."""
        # A command may make any number of calls that succeed, and each takes two turns of this.
        wait, request, entries, filtered = os.waitpid, ptrace.request, self._entries, self._filtered
        everywhere = self._at_every_call
        while not self._leaves() and (self._threads or self._main is not None):
            try:
                thread, status = wait(-1, ptrace.WALL)
                what = status >> 8
                if status & 0xFF != _STOPPED:
                    self._gone(thread, status)
                elif self._leaves():
                    self._left_alone(thread, status)
                elif what == _SECCOMP:
                    entries[thread] = ptrace.entry(thread) or b""
                    data = ptrace.data_of_filter()
                    if data != FOLLOWED and not self._at_another_filter(thread, data):
                        continue
                    request(ptrace.SYSCALL, thread)
                elif what == _SYSCALL and filtered and thread not in everywhere:
                    error = ptrace.error(thread)
                    if error:
                        self._at_the_end(thread, error)
                    request(ptrace.CONT, thread)
                else:
                    if thread not in self._threads:
                        self._threads.add(thread)
                        if everywhere and filters_of(thread) > 1:
                            everywhere.add(thread)
                    self._go_on(thread, status)
            except ProcessLookupError:
                continue  # killed meanwhile: its end will be told
            except ChildProcessError:
                return
        while self._leave_by is not None and self._threads and time.monotonic() < self._leave_by:
            try:
                thread, status = os.waitpid(-1, ptrace.WALL | os.WNOHANG)
            except ChildProcessError:
                return
            if not thread:
                self._threads = {each for each in self._threads if field(each, "State")[:1] not in _ENDED}
                time.sleep(0.01)  # of one that cannot be stopped nothing is told
            elif status & 0xFF != _STOPPED:
                self._gone(thread, status)
            else:
                self._left_alone(thread, status)

    def _at_another_filter(self, thread: int, data: int) -> bool:
        """At a call that gives a process a filter, or that a filter of its own has stopped: whether it is made."""
        if data != TAKES_A_FILTER:
            ptrace.refuse(thread, self._machine.name)
            ptrace.request(ptrace.SYSCALL if thread in self._at_every_call else ptrace.CONT, thread)
            return False
        siblings = _siblings(thread)
        entry = ptrace.entry_of(self._entries[thread])
        if entry.number == self._machine.numbers["seccomp"] and entry.arguments[1] & _TSYNC:
            for other in siblings - self._at_every_call - {thread}:
                _to_a_thread(ptrace.INTERRUPT, other)  # it will have that filter too, and is to stop at every call
        self._at_every_call |= siblings
        return True

    def _go_on(self, thread: int, status: int) -> None:
        number, event = status >> 8 & 0xFF, status >> 16
        if thread == self._main:
            self._tell_of_halting(event == ptrace.EVENT_STOP and number in _HALTING)
        onward = ptrace.CONT if self._filtered and thread not in self._at_every_call else ptrace.SYSCALL
        if number == _SYSCALL:
            self._at_any_call(thread)
            ptrace.request(onward, thread)
        elif event == ptrace.EVENT_STOP and number in _HALTING:
            ptrace.request(ptrace.LISTEN, thread)
        elif event:
            if status >> 8 == _EXECUTED:
                self._entries.pop(thread, None)
                self._executed(thread)
            ptrace.request(onward, thread)
        else:
            ptrace.request(onward, thread, number)

    def _tell_of_halting(self, halts: bool) -> None:
        if halts != self._main_halts:
            self._main_halts = halts
            self._halted(halts)

    def _at_any_call(self, thread: int) -> None:
        """Without a filter each call stops, where it begins and where it ends."""
        info = ptrace.entry(thread)
        if info is None:
            error = ptrace.error(thread)
            if error and thread in self._entries:
                self._at_the_end(thread, error)
            return
        entry = ptrace.entry_of(info)
        if entry.number in self._calls and entry.architecture == self._architecture:
            self._entries[thread] = info
        else:
            self._entries.pop(thread, None)

    def _at_the_end(self, thread: int, error: int) -> None:
        entry = ptrace.entry_of(self._entries[thread])
        call = self._calls.get(entry.number)
        if call is None:
            return  # it would have given the process a filter
        try:
            failed = failed_call(thread, call, entry.arguments, error, self._sockets)
        except OSError:
            return  # it was killed, or gave the kernel an address at which there is nothing
        if failed is not None:
            if failed.path is not None:
                self._sockets.add(os.path.join(failed.base or "/", failed.path))
            self._failed(failed)

    def _executed(self, thread: int) -> None:
        """A program has begun: look whether it has what its file gives (execve(2), capabilities(7))."""
        self.began |= thread == self._main
        with contextlib.suppress(OSError):
            found = shorn(thread)
            if found is not None:
                program, why = found
                self.shorn[program] = why

    def _gone(self, thread: int, status: int) -> None:
        self._threads.discard(thread)
        self._entries.pop(thread, None)
        self._at_every_call.discard(thread)
        if thread == self._main:
            self._tell_of_halting(False)
            self._ended(status)

    def _left_alone(self, thread: int, status: int) -> None:
        number, event = status >> 8 & 0xFF, status >> 16
        self._threads.discard(thread)
        _to_a_thread(ptrace.DETACH, thread, 0 if event or number == _SYSCALL else number)


def filters_of(thread: int) -> int:
    """How many filters of system calls a thread has; 1 stands for some on kernels before 5.9, 0 where it is gone."""
    try:
        fields = status_fields(thread)
    except OSError:
        return 0
    return int(fields.get(b"Seccomp_filters", b"1")) if fields.get(b"Seccomp", b"0") != b"0" else 0


def _why_not(thread: int) -> str | None:
    """Why the kernel lets nobody follow a thread, whoever it is (ptrace_attach in kernel/ptrace.c), if that is it."""
    try:
        fields = status_fields(thread)
    except OSError:
        return None
    if int(fields[b"Tgid"]) == os.getpid():
        return "it is the harness itself"
    if fields[b"State"][:1] in {b"Z", b"X"}:
        return "it has ended, and its parent has not asked for that yet"
    if b"VmSize" not in fields:
        return "it is a thread of the kernel's"
    follower = int(fields[b"TracerPid"])
    return f"process {follower} follows it already" if follower else None


def _siblings(thread: int) -> set[int]:
    """All threads of a thread's process: one may take a filter for all of them (SECCOMP_FILTER_FLAG_TSYNC)."""
    try:
        return {thread, *map(int, os.listdir(f"/proc/{thread}/task"))}
    except OSError:
        return {thread}


def _to_a_thread(request: int, thread: int, data: int = 0) -> None:
    try:
        ptrace.request(request, thread, data)
    except ProcessLookupError:
        return
