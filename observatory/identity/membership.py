"""Whether a peer is a member of a group: by the groups that the kernel tells, else by those of its user's accounts."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from observatory.identity.credentials import PeerCredentials

KERNEL_KNOWS_ALL: Final = sys.platform in {"linux", "android"}
"""Elsewhere the kernel tells of sixteen groups at most or of none: on macOS the directory has the rest, which it asks
itself when it decides over a file (bsd/kern/kern_credential.c, `kauth_cred_ismember_gid`)."""


def is_member(peer: PeerCredentials, gid: int) -> bool:
    """Whether the peer is in a group. What is unknown is no member's."""
    if gid == peer.gid or gid in (peer.groups or ()):
        return True
    if sys.platform == "win32" or KERNEL_KNOWS_ALL or peer.uid is None:
        return False
    import pwd  # noqa: PLC0415 - not on every platform

    try:
        user = pwd.getpwuid(peer.uid)
        return gid in os.getgrouplist(user.pw_name, user.pw_gid)
    except (KeyError, OSError):
        return False
