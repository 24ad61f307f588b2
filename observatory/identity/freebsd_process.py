"""What FreeBSD tells of a process: kern.proc.pid and kern.proc.pathname of sysctl(3).

Source: sys/user.h, sys/sysctl.h, sys/kern/kern_proc.c (`sysctl_kern_proc`, `fill_kinfo_proc_only`,
`sysctl_kern_proc_pathname`). Of 64-bit systems only: the structure is another one elsewhere.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from observatory.identity import layouts
from observatory.identity.layouts import FREEBSD_KINFO_PROC_64
from observatory.identity.process import ProcessDetails

if TYPE_CHECKING:
    from observatory.identity.layouts import ByteOrder

CTL_KERN = 1
KERN_PROC = 14
KERN_PROC_PID = 1
KERN_PROC_PATHNAME = 12
PATH_MAX = 1024


def read(pid: int) -> ProcessDetails | None:
    """A process; `None` if there is none of this number, or it may not be seen.

    `started` is in microseconds since the epoch, by the clock as it is set now; `command` and `cgroup` are unknown.
    """
    data = _sysctl((CTL_KERN, KERN_PROC, KERN_PROC_PID, pid), FREEBSD_KINFO_PROC_64.size)
    path = _sysctl((CTL_KERN, KERN_PROC, KERN_PROC_PATHNAME, pid), PATH_MAX)
    return parse(data, path.split(b"\0", 1)[0], sys.byteorder)


def _sysctl(name: tuple[int, ...], size: int) -> bytes:
    import ctypes  # noqa: PLC0415 - it takes a millisecond to load, and is needed once a session

    found, length = ctypes.create_string_buffer(size), ctypes.c_size_t(size)
    numbers = (ctypes.c_int * len(name))(*name)
    failed: int = ctypes.CDLL(None).sysctl(numbers, len(name), found, ctypes.byref(length), None, ctypes.c_size_t(0))
    return b"" if failed else found.raw[: length.value]


def parse(data: bytes, path: bytes, order: ByteOrder) -> ProcessDetails | None:
    """The process of a `struct kinfo_proc`, with the path of its program, empty if that is not known."""
    members = layouts.parse(FREEBSD_KINFO_PROC_64, data, order)
    if members is None or members["ki_structsize"] != (FREEBSD_KINFO_PROC_64.size,):
        return None
    (parent,) = members["ki_ppid"]
    (seconds,), (microseconds,) = members["ki_start.tv_sec"], members["ki_start.tv_usec"]
    return ProcessDetails(
        pid=members["ki_pid"][0],
        uid=members["ki_uid"][0],
        comm=layouts.text(members["ki_comm"]),
        command=None,
        exe=path.decode(errors="backslashreplace") or None,
        parent=parent or None,
        session=members["ki_sid"][0],
        cgroup=None,
        started=seconds * 1_000_000 + microseconds,
    )
