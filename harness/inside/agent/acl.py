"""ACLs, in the form in which the kernel keeps them with a file (acl(5), linux/posix_acl_xattr.h)."""

from __future__ import annotations

import errno
import os
import struct
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harness.inside.rows import AclRow

TAGS = {"owner": 1, "user": 2, "owning group": 4, "group": 8, "mask": 16, "other": 32}
NOBODY = 0xFFFFFFFF
"""The id of an entry that names no one."""
ACCESS, DEFAULT = "system.posix_acl_access", "system.posix_acl_default"
"""The ACL of a thing itself, and what is made in a directory inherits."""


def encoded(entries: Iterable[AclRow]) -> bytes:
    """An ACL in the form that the kernel takes: little-endian, version 2, entries sorted by tag and id."""
    rows = sorted((TAGS[entry.tag], NOBODY if entry.who is None else entry.who, entry.permissions) for entry in entries)
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", tag, permissions, who) for tag, who, permissions in rows)


def of(path: str | int, which: str = ACCESS) -> bytes | None:
    """A path's ACL; `None` if it has none, or if this system or file system has none."""
    if sys.platform != "linux":
        return None
    try:
        return os.getxattr(path, which)
    except OSError:
        return None


def give(path: str | int, acl: bytes | None, which: str = ACCESS) -> None:
    """Give a path this ACL, or take away the one that it has. Raises OSError, also where there are none."""
    if sys.platform != "linux":
        if acl is not None:
            raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP), path)
    elif acl is not None:
        os.setxattr(path, which, acl)
    elif of(path, which) is not None:
        os.removexattr(path, which)
