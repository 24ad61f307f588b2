"""The filters of system calls that a process has, and what they do with a call (seccomp(2), ptrace(2))."""

from __future__ import annotations

import ctypes
import errno
import os
from typing import TYPE_CHECKING, Final

from harness.trace import bpf, ptrace

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.trace.bpf import Instruction
    from harness.trace.calls import Machine

GET_FILTER: Final = 0x420C
"""PTRACE_SECCOMP_GET_FILTER (linux/ptrace.h)."""
KILL_PROCESS, KILL_THREAD, TRAP, ERRNO = 0x80000000, 0, 0x30000, 0x50000
USER_NOTIFICATION, TRACE, LOG, ALLOW = 0x7FC00000, 0x7FF00000, 0x7FFC0000, 0x7FFF0000
"""What a filter returns, in its upper half; the lower is the errno (linux/seccomp.h)."""
_LARGEST_ERRNO: Final = 4095


def read_filters(process: int) -> tuple[tuple[Instruction, ...], ...]:
    """The filters of a process, the latest first. It stands still meanwhile, unless we follow it already.

    Raises OSError: it takes CAP_SYS_ADMIN, and that we have no filter ourselves.
    """
    seized = _seized(process)
    try:
        found: list[tuple[Instruction, ...]] = []
        while (code := _filter(process, len(found))) is not None:
            found.append(bpf.instructions(code))
        return tuple(reversed(found))  # the kernel counts from the oldest (get_nth_filter in kernel/seccomp.c)
    finally:
        if seized:
            ptrace.request(ptrace.DETACH, process)


def _seized(process: int) -> bool:
    """Stop a process; False if it stands still for us already."""
    if _filter_size(process, 0) != -errno.ESRCH:
        return False
    ptrace.request(ptrace.SEIZE, process)
    ptrace.request(ptrace.INTERRUPT, process)
    os.waitpid(process, ptrace.WALL)
    return True


def _filter_size(process: int, index: int, into: ctypes.Array[ctypes.c_char] | None = None) -> int:
    size = ptrace.call(GET_FILTER, process, index, into)
    return -ctypes.get_errno() if size == -1 else size


def _filter(process: int, index: int) -> bytes | None:
    """One filter's program; None if there are no more."""
    count = _filter_size(process, index)
    if count == -errno.ENOENT:
        return None
    if count < 0:
        # No process that may have filters: EINVAL is said of one that has none.
        if count == -errno.EINVAL:
            return None
        raise OSError(-count, os.strerror(-count))
    held = ctypes.create_string_buffer(8 * count)
    _filter_size(process, index, held)
    return held.raw


def outcome(
    filters: Sequence[Sequence[Instruction]], machine: Machine, name: str, arguments: Sequence[int]
) -> str | None:
    """What filters do with a call: `ok`, an errno's name, or `SIGSYS`; None if another process decides."""
    about = bpf.data(machine.numbers[name], machine.architecture, arguments)
    strictest = ALLOW
    for program in filters:
        returned = bpf.evaluate(program, about)
        if _signed(returned & 0xFFFF0000) < _signed(strictest & 0xFFFF0000):
            strictest = returned
    return _meaning(strictest)


def _signed(action: int) -> int:
    """As the kernel compares: what kills a process is the strictest."""
    return action - (1 << 32) if action & 0x80000000 else action


def _meaning(returned: int) -> str | None:
    action, number = returned & 0xFFFF0000, returned & 0xFFFF
    if action in {ALLOW, LOG}:
        return "ok"
    if action == ERRNO:
        number = min(number, _LARGEST_ERRNO)
        return errno.errorcode.get(number, str(number)) if number else "ok, and does nothing"
    return None if action in {USER_NOTIFICATION, TRACE} else "SIGSYS"
