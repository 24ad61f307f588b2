"""What the C library has and Python lacks: mounting, prctl(2) and other calls, by ctypes."""

from __future__ import annotations

import ctypes
import errno
import os
import sys

LIBC = ctypes.CDLL(None, use_errno=True)
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC = 1, 2, 4, 8
MS_REMOUNT, MS_BIND, MS_MOVE, MS_REC, MS_PRIVATE = 32, 4096, 8192, 16384, 1 << 18
"""linux/mount.h."""
CLONE_NEWNS, CLONE_NEWIPC, CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET = 1 << 17, 1 << 27, 1 << 28, 1 << 29, 1 << 30
"""linux/sched.h."""
AF_UNIX, SOCK_SEQPACKET = 1, 5
"""linux/socket.h and linux/net.h; SOCK_STREAM has another number on MIPS."""
AT_FDCWD = -100
"""fcntl.h."""
MNT_DETACH = 2
PR_SET_PDEATHSIG = 1
"""linux/prctl.h."""
PIDFD_GETFD = 438
"""asm-generic/unistd.h."""


def called(result: int, path: str | None = None) -> int:
    """What a function of the C library returned. Raises OSError, with the path, if that is -1."""
    if result == -1:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), path)
    return result


def mount(source: str | None, target: str, kind: str | None, flags: int, data: str | None = None) -> None:
    """mount(2) with Linux's arguments, which no other system has. Raises OSError with the target."""
    if sys.platform != "linux":
        raise OSError(errno.ENOTSUP, "the harness mounts on Linux only", target)
    texts = [None if text is None else os.fsencode(text) for text in (source, target, kind, data)]
    called(LIBC.mount(texts[0], texts[1], texts[2], ctypes.c_ulong(flags), texts[3]), target)


def unmount(target: str) -> None:
    """umount2(2), whoever is in there. Raises OSError with the target."""
    called(LIBC.umount2(os.fsencode(target), MNT_DETACH), target)


def unshare(flags: int) -> None:
    """unshare(2). Raises OSError."""
    called(LIBC.unshare(flags))


def setns(descriptor: int, kind: int) -> None:
    """setns(2). Raises OSError."""
    called(LIBC.setns(descriptor, kind))


def socketpair() -> tuple[int, int]:
    """socketpair(2) of Unix sockets, which keep messages apart: both ends. No program inherits them. Raises OSError."""
    pair = (ctypes.c_int * 2)()
    called(LIBC.socketpair(AF_UNIX, SOCK_SEQPACKET | os.O_CLOEXEC, 0, pair))
    return pair[0], pair[1]


def copy_descriptor(pid: int, descriptor: int) -> int:
    """A copy of what a process has open: pidfd_getfd(2), of Linux 5.6, for whoever may trace it. Raises OSError."""
    if sys.platform != "linux" or not hasattr(os, "pidfd_open"):
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    process = os.pidfd_open(pid)
    try:
        return called(LIBC.syscall(PIDFD_GETFD, process, descriptor, 0))
    finally:
        os.close(process)


def prctl(option: int, *arguments: int) -> None:
    """prctl(2), which Linux alone has. Raises OSError."""
    if sys.platform != "linux":
        raise OSError(errno.ENOTSUP, "there is no prctl(2) on this system")
    called(LIBC.prctl(option, *map(ctypes.c_ulong, (*arguments, 0, 0, 0, 0)[:4])))
