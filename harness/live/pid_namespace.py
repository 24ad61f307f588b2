"""The numbers of processes in a /proc, which are those of the PID namespace it was mounted for (pid_namespaces(7))."""

from __future__ import annotations

import errno
import os
from typing import Final

from harness.inside.procfs import status_fields

_UNKNOWN: Final = (errno.ESRCH, os.strerror(errno.ESRCH))


def thread_group(thread: int) -> int:
    """The process that a thread is one of. Raises OSError."""
    return int(status_fields(thread)[b"Tgid"])


def numbers_in(top: int, thread: int) -> tuple[int, int]:
    """The numbers of a thread's process and of the thread itself in the /proc that `top` is open on.

    Raises OSError, with ESRCH where they are not known.
    """
    fields = status_fields(thread)
    if _is_ours(top, "self"):
        return int(fields[b"Tgid"]), int(fields[b"Pid"])
    process, itself = (int(fields[key].split()[-1]) for key in (b"NStgid", b"NSpid"))
    if os.readlink(f"{process}/ns/pid", dir_fd=top) != os.readlink(f"/proc/{thread}/ns/pid"):
        raise OSError(*_UNKNOWN)
    return process, itself


def number_here(directory: int, up: str, number: int) -> int:
    """Our number of the process that has a number in the /proc whose top is `up` from an open directory.

    Raises OSError, with ESRCH where it is not known.
    """
    if _is_ours(directory, f"{up}self"):
        return number
    namespace = os.readlink(f"{up}{number}/ns/pid", dir_fd=directory)
    found = [pid for pid in map(int, filter(str.isdecimal, os.listdir("/proc"))) if _has(pid, number, namespace)]
    if len(found) != 1:
        raise OSError(*_UNKNOWN)
    return found[0]


def _is_ours(directory: int, link: str) -> bool:
    """Whether `self` of a /proc leads this very process to its own number, as it does in its own namespace's."""
    try:
        return os.readlink(link, dir_fd=directory) == str(os.getpid())
    except FileNotFoundError:
        return False  # this process has no number there


def _has(pid: int, number: int, namespace: str) -> bool:
    try:
        if os.readlink(f"/proc/{pid}/ns/pid") != namespace:
            return False
        return number in map(int, status_fields(pid)[b"NSpid"].split()[1:])
    except OSError:
        return False
