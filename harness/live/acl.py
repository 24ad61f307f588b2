"""A POSIX access control list as the kernel gives it to programs: the extended attribute system.posix_acl_access."""

from __future__ import annotations

import errno
import os
import struct
import sys
from typing import TYPE_CHECKING, Final, Literal

from harness.world import AclEntry

if TYPE_CHECKING:
    from collections.abc import Mapping

ATTRIBUTE: Final = "system.posix_acl_access"
VERSION: Final = 2  # POSIX_ACL_XATTR_VERSION, include/uapi/linux/posix_acl_xattr.h

_NAMED: Final[Mapping[int, Literal["user", "group"]]] = {0x02: "user", 0x08: "group"}
_UNNAMED: Final[Mapping[int, Literal["group", "mask"]]] = {0x04: "group", 0x10: "mask"}
"""Tags of include/uapi/linux/posix_acl.h. ACL_USER_OBJ (0x01) and ACL_OTHER (0x20) only repeat mode bits."""

_UNKNOWN: Final = frozenset({errno.EOPNOTSUPP, errno.ENOSYS})


def read_acl(path: str) -> tuple[AclEntry, ...] | None:
    """The entries beside owner and other, with numeric ids; empty where there is no list, None where there can be none.

    Raises OSError, with EBADMSG where a file system answers with what is no list.
    """
    if sys.platform != "linux":
        return ()
    try:
        return parse_acl(os.getxattr(path, ATTRIBUTE))
    except OSError as error:
        if error.errno == errno.ENODATA:
            return ()
        if error.errno in _UNKNOWN:
            return None
        raise
    except ValueError as error:
        raise OSError(errno.EBADMSG, str(error), path) from None


def parse_acl(attribute: bytes) -> tuple[AclEntry, ...]:
    """Little-endian: a 32-bit version, then for each entry tag and permissions (16 bits each) and an id (32 bits).

    Raises ValueError if it is none of that.
    """
    if len(attribute) % 8 != 4 or struct.unpack_from("<I", attribute)[0] != VERSION:
        raise ValueError(f"{ATTRIBUTE} has a form that is not known: {attribute[:16].hex()}")
    entries: list[AclEntry] = []
    for tag, permissions, who in struct.iter_unpack("<HHI", attribute[4:]):
        if tag in _NAMED:
            entries.append(AclEntry(_NAMED[tag], who, permissions))
        elif tag in _UNNAMED:
            entries.append(AclEntry(_UNNAMED[tag], None, permissions))
    return tuple(entries)
