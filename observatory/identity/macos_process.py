"""What macOS tells of a process: proc_pidinfo of libproc with PROC_PIDTBSDINFO, and proc_pidpath.

Source: sys/proc_info.h, libproc.h, bsd/kern/proc_info.c (`proc_pidinfo`, `proc_pidbsdinfo`). Whoever is not root is
told of the own user's processes only.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from observatory.identity import layouts
from observatory.identity.layouts import MACOS_PROC_BSDINFO
from observatory.identity.process import ProcessDetails

if TYPE_CHECKING:
    from observatory.identity.layouts import ByteOrder

PROC_PIDTBSDINFO = 3
PROC_PIDPATHINFO_MAXSIZE = 4096


def read(pid: int) -> ProcessDetails | None:
    """A living process; `None` if there is none of this number, or it may not be seen.

    `started` is in microseconds since the epoch, as the clock was when it began; `command` and `cgroup` are unknown.
    """
    import ctypes  # noqa: PLC0415 - it takes a millisecond to load, and is needed once a session

    if sys.platform == "win32":
        return None
    library = ctypes.CDLL(None)
    size, longest = MACOS_PROC_BSDINFO.size, PROC_PIDPATHINFO_MAXSIZE
    found, path = ctypes.create_string_buffer(size), ctypes.create_string_buffer(longest)
    if library.proc_pidinfo(pid, PROC_PIDTBSDINFO, ctypes.c_uint64(0), found, size) != size:
        return None
    length: int = library.proc_pidpath(pid, path, longest)
    try:
        session = os.getsid(pid)
    except OSError:
        return None
    return parse(found.raw, path.raw[: max(0, length)], session, sys.byteorder)


def parse(data: bytes, path: bytes, session: int, order: ByteOrder) -> ProcessDetails | None:
    """The process of a `struct proc_bsdinfo`, with the path of its program, empty if that is not known."""
    members = layouts.parse(MACOS_PROC_BSDINFO, data, order)
    if members is None:
        return None
    (parent,) = members["pbi_ppid"]
    (seconds,), (microseconds,) = members["pbi_start_tvsec"], members["pbi_start_tvusec"]
    return ProcessDetails(
        pid=members["pbi_pid"][0],
        uid=members["pbi_uid"][0],
        comm=layouts.text(members["pbi_comm"]),
        command=None,
        exe=path.decode(errors="backslashreplace") or None,
        parent=parent or None,
        session=session,
        cgroup=None,
        started=seconds * 1_000_000 + microseconds,
    )
