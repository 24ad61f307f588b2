"""How many descriptors a process may have where its limit says: without end."""

from __future__ import annotations

import ctypes
import sys
from typing import Final

ASSUMED: Final = 1 << 20
"""Where the system has no such number: Linux's fs.nr_open by default."""


def open_files_limit() -> int:
    """The kernel's own limit for one process: `kern.maxfilesperproc` of macOS and FreeBSD (sysctl(3)).

    macOS refuses to raise the soft limit above it (bsd/kern/kern_resource.c, `dosetrlimit`).
    """
    if not sys.platform.startswith(("darwin", "freebsd")):
        return ASSUMED
    found = ctypes.c_int()
    size = ctypes.c_size_t(ctypes.sizeof(found))
    library = ctypes.CDLL(None)
    if library.sysctlbyname(b"kern.maxfilesperproc", ctypes.byref(found), ctypes.byref(size), None, 0) != 0:
        return ASSUMED
    return found.value
