"""What a program's file gives to who starts it: ids and capabilities (execve(2), capabilities(7)).

A traced process may not gain any, unless who traces it might gain them too.
"""

from __future__ import annotations

import os
import shutil
import stat
import struct
from pathlib import Path
from typing import TYPE_CHECKING, Final

from harness.inside.procfs import field, status_fields

if TYPE_CHECKING:
    from collections.abc import Mapping

_SYS_ADMIN: Final = 1 << 21
_CAPABILITIES: Final = struct.Struct("<IIIII")
"""struct vfs_cap_data (linux/capability.h): the version, then permitted and inheritable, the lower halves first."""
_COMM: Final = 15
"""Bytes of a program's name that the kernel keeps (TASK_COMM_LEN)."""


def shorn(thread: int) -> tuple[str, str] | None:
    """The program that a thread has just begun, and what its file gives and the thread has not; None if nothing.

    Raises OSError if the thread is gone.
    """
    path = f"/proc/{thread}/exe"
    try:
        name = os.readlink(path)
    except PermissionError:
        # A file that may not be read: /proc does not tell which it is, but what it was called by.
        path = name = _called(thread, field(thread, "Name"))
        if not name:
            return None
    if not os.stat(path).st_mode & (stat.S_ISUID | stat.S_ISGID) and not _permitted(path):
        return None  # as nearly every program's file, so that no more is read for it
    status, own = status_fields(thread), status_fields(os.getpid())
    if status[b"NoNewPrivs"] == b"1" and (own[b"NoNewPrivs"] == b"1" or int(own[b"CapEff"], 16) & _SYS_ADMIN):
        return None  # it has given that up itself: the filter needs that of no one who has CAP_SYS_ADMIN
    why = " and ".join(_lacking(path, status))
    return (name, why) if why else None


def _lacking(path: str, status: Mapping[bytes, bytes]) -> list[str]:
    file = os.stat(path)
    if os.statvfs(path).f_flag & os.ST_NOSUID:
        return []
    uid, gid = (int(status[key].split()[1]) for key in (b"Uid", b"Gid"))
    lacking: list[str] = []
    if file.st_mode & stat.S_ISUID and uid not in {file.st_uid, 0}:
        lacking.append(f"it is set-uid, of uid {file.st_uid}")
    # Without the group's x it is a mark for locks, and gives nothing (bprm_fill_uid in fs/exec.c).
    if file.st_mode & stat.S_ISGID and file.st_mode & stat.S_IXGRP and gid != file.st_gid:
        lacking.append(f"it is set-gid, of gid {file.st_gid}")
    if _permitted(path) & int(status[b"CapBnd"], 16) & ~int(status[b"CapPrm"], 16):
        lacking.append("its file has capabilities")
    return lacking


def _permitted(path: str) -> int:
    """The capabilities that a file gives, as bits."""
    try:
        held = os.getxattr(path, "security.capability")  # type: ignore[attr-defined,unused-ignore]
        _, low, _, high, _ = _CAPABILITIES.unpack_from(held)
    except (OSError, struct.error):
        return 0
    return int(low | high << 32)


def _called(thread: int, comm: str) -> str:
    """The file by whose name a program was called, if there is one that fits the name that the kernel keeps."""
    word = os.fsdecode(Path(f"/proc/{thread}/cmdline").read_bytes().partition(b"\0")[0])
    found = shutil.which(word) or ""
    return os.path.realpath(found) if os.path.basename(found)[:_COMM] == comm else ""
