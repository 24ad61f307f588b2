"""Becoming a principal: for good, or for a while.

On a kernel where the first of a process's groups *is* its effective gid, setgroups(2) gets that one first: macOS
(bsd/kern/kern_prot.c, `setgroups_internal`; bsd/sys/ucred.h, `cr_groups[0]`) and FreeBSD before 15
(sys/kern/kern_prot.c, `kern_setgroups`). There a later setgid(2) would overwrite whichever group came first.
"""

from __future__ import annotations

import errno
import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.inside.messages import EncodedPrincipal

GID_AMONG_GROUPS = sys.platform == "darwin" or sys.platform in {f"freebsd{version}" for version in range(8, 15)}
"""Whether the first of a process's groups is its effective gid."""
MOST_GROUPS = 16
"""On macOS, the effective gid among them: NGROUPS_MAX, bsd/sys/syslimits.h."""


def become(who: EncodedPrincipal) -> None:
    """Give up root for the principal's groups and ids, with what capabilities the kernel leaves. Raises OSError."""
    uid, gid = who["uid"], who["gid"]
    real = who.get("real_uid", uid)
    _set_groups(gid, who["groups"])
    if sys.platform != "darwin" and hasattr(os, "setresuid"):
        os.setresgid(gid, gid, gid)
        os.setresuid(real, uid, uid)
        ours = (os.getresuid(), os.getresgid()) == ((real, uid, uid), (gid, gid, gid))
    else:  # for root, setuid(2) and setgid(2) set the saved ids as well
        os.setgid(gid)
        if real == uid:
            os.setuid(uid)
        else:
            os.setreuid(real, uid)
        ours = (os.getuid(), os.geteuid(), os.getgid(), os.getegid()) == (real, uid, gid, gid)
        if ours and uid != 0 and real != 0 and _can_return():
            raise OSError(errno.EPERM, "root's uid could be taken back")
    if not ours:
        raise OSError(errno.EINVAL, "that id means 'leave it as it is'")  # (uid_t) -1


def act_as(who: EncodedPrincipal | None) -> None:
    """Take on a principal's effective ids and groups for a while; `None` takes root's back."""
    os.seteuid(0)
    os.setegid(0)
    if who:
        _set_groups(who["gid"], who["groups"])
        os.setegid(who["gid"])
        os.seteuid(who["uid"])
    else:
        _set_groups(0, [])


def _set_groups(gid: int, groups: Sequence[int]) -> None:
    """Have these supplementary groups. Raises OSError."""
    wanted = [gid, *(each for each in groups if each != gid)] if GID_AMONG_GROUPS else list(groups)
    if sys.platform == "darwin" and len(wanted) > MOST_GROUPS:
        raise OSError(errno.EINVAL, f"a process of this system has {MOST_GROUPS} groups at most, its own among them")
    os.setgroups(wanted)


def _can_return() -> bool:
    try:
        os.seteuid(0)
    except OSError:
        return False
    return True
