"""Reading the files of a process whose root directory is not ours: inside that root, and without believing it.

Whoever has made that root may have put anything there: a symlink to a file of ours, a FIFO, a device, a file that grows
without end, one with a lease on it, a file of ours mounted upon the name, a file system that never answers.
"""

from __future__ import annotations

import ctypes
import errno
import os
import stat
from typing import TYPE_CHECKING, Final

from harness.live.limits import in_child, read_up_to
from harness.live.lookup import PATH_ONLY, open_below

if TYPE_CHECKING:
    from harness.world import Principal

LARGEST: Final = 1 << 20
"""Bytes of a file of names; what is larger counts as not to be read."""
SECONDS: Final = 1.0

_OPENAT2: Final = 547 if os.uname().machine == "alpha" else 437  # include/uapi/asm-generic/unistd.h
_RESOLVE_NO_MAGICLINKS, _RESOLVE_IN_ROOT = 0x02, 0x10  # linux/openat2.h
_UNAVAILABLE: Final = frozenset({errno.ENOSYS, errno.EPERM, errno.E2BIG, errno.EINVAL})
"""Before Linux 5.6, or where a filter of system calls does not know it."""

_libc: Final = ctypes.CDLL(None, use_errno=True)


class _OpenHow(ctypes.Structure):
    _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))


def read_file(root: str, path: str, reader: Principal) -> bytes:
    """The contents of a regular file below a root directory, which the process of that root could read itself.

    Raises OSError: TimeoutError after `SECONDS`, EFBIG for more than `LARGEST` bytes, EACCES for a file that `reader`
    may not read, EINVAL for what is no regular file.
    """
    return in_child(lambda: _read(root, path, reader), SECONDS)


def _read(root: str, path: str, reader: Principal) -> bytes:
    top = os.open(root, PATH_ONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        found = open_inside(top, path)
    finally:
        os.close(top)
    try:
        status = os.fstat(found)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL), path)
        if not may_read(status, reader):
            raise OSError(errno.EACCES, os.strerror(errno.EACCES), path)
        # By the descriptor, so that this is the very file that has been looked at.
        opened = os.open(f"/proc/self/fd/{found}", os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    finally:
        os.close(found)
    try:
        return read_up_to(opened, LARGEST)
    finally:
        os.close(opened)


def open_inside(top: int, path: str) -> int:
    """Open a path for nothing but to be looked at (O_PATH), as one whose root directory `top` is open on would find it.

    By openat2(2) with RESOLVE_IN_ROOT; by a walk of our own where the kernel has no such call. Raises OSError.
    """
    how = _OpenHow(PATH_ONLY | os.O_CLOEXEC, 0, _RESOLVE_IN_ROOT | _RESOLVE_NO_MAGICLINKS)
    name = ctypes.c_char_p(os.fsencode(path))
    size = ctypes.c_size_t(ctypes.sizeof(how))
    found: int = _libc.syscall(ctypes.c_long(_OPENAT2), ctypes.c_int(top), name, ctypes.byref(how), size)
    if found >= 0:
        return found
    number = ctypes.get_errno()
    # EAGAIN: something was renamed meanwhile, and the kernel can't tell whether `..` led out.
    if number not in _UNAVAILABLE | {errno.EAGAIN}:
        raise OSError(number, os.strerror(number), path)
    return open_below(top, path, PATH_ONLY, lambda _: None)


def may_read(status: os.stat_result, reader: Principal) -> bool:
    """Whether the mode bits let somebody read a file: nobody is shown by us what is closed to themselves."""
    if reader.uid == 0:
        return True
    if status.st_uid == reader.uid:
        return bool(status.st_mode & stat.S_IRUSR)
    if status.st_gid in {reader.gid, *reader.groups}:
        return bool(status.st_mode & stat.S_IRGRP)
    return bool(status.st_mode & stat.S_IROTH)
