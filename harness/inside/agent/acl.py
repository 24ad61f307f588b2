"""Access ACLs, in the form in which the kernel keeps them with a file (acl(5), linux/posix_acl_xattr.h)."""

from __future__ import annotations

import os
import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harness.inside.rows import AclRow

TAGS = {"owner": 1, "user": 2, "owning group": 4, "group": 8, "mask": 16, "other": 32}
NOBODY = 0xFFFFFFFF
"""The id of an entry that names no one."""
ACCESS = "system.posix_acl_access"


def encoded(entries: Iterable[AclRow]) -> bytes:
    """An ACL in the form that the kernel takes: little-endian, version 2, entries sorted by tag and id."""
    rows = sorted((TAGS[entry.tag], NOBODY if entry.who is None else entry.who, entry.permissions) for entry in entries)
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", tag, permissions, who) for tag, who, permissions in rows)


def of(path: str) -> bytes | None:
    """A path's ACL; `None` if it has none, or if this system or file system has none."""
    if not hasattr(os, "getxattr"):
        return None
    try:
        return os.getxattr(path, ACCESS)
    except OSError:
        return None


def give(path: str, acl: bytes | None) -> None:
    """Give a path this ACL, or take away the one that it has."""
    if acl is not None:
        os.setxattr(path, ACCESS, acl)
    elif of(path) is not None:
        os.removexattr(path, ACCESS)
