"""Becoming a principal: for good, or for a while."""

from __future__ import annotations

import errno
import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.inside.messages import EncodedPrincipal


def become(who: EncodedPrincipal) -> None:
    """Give up root for the principal's groups and ids, with what capabilities the kernel leaves. Raises OSError."""
    uid, gid = who["uid"], who["gid"]
    uids = (who.get("real_uid", uid), uid, uid)
    if sys.platform == "darwin":
        raise OSError(errno.ENOTSUP, "this system has no setresuid(2)")
    os.setgroups(who["groups"])
    os.setresgid(gid, gid, gid)
    os.setresuid(*uids)
    if (os.getresuid(), os.getresgid()) != (uids, (gid, gid, gid)):
        raise OSError(errno.EINVAL, "that id means 'leave it as it is'")  # (uid_t) -1


def act_as(who: EncodedPrincipal | None) -> None:
    """Take on a principal's effective ids and groups for a while; `None` takes root's back."""
    os.seteuid(0)
    os.setegid(0)
    os.setgroups(who["groups"] if who else [])
    if who:
        os.setegid(who["gid"])
        os.seteuid(who["uid"])
