"""Becoming a principal: for good, or for a while."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

from harness.inside import capabilities

if TYPE_CHECKING:
    from harness.inside.messages import EncodedPrincipal


def become(who: EncodedPrincipal) -> None:
    """Give up root for what the principal is: groups, ids, and the capabilities if a set is given. Raises OSError."""
    uid, gid, wanted = who["uid"], who["gid"], who.get("capabilities")
    uids = (who.get("real_uid", uid), uid, uid)
    if wanted is not None:
        capabilities.keep()
    os.setgroups(who["groups"])
    os.setresgid(gid, gid, gid)
    os.setresuid(*uids)
    if (os.getresuid(), os.getresgid()) != (uids, (gid, gid, gid)):
        raise OSError(errno.EINVAL, "that id means 'leave it as it is'")  # (uid_t) -1
    if wanted is not None:
        capabilities.restrict(wanted)


def act_as(who: EncodedPrincipal | None) -> None:
    """Take on a principal's effective ids and groups for a while; `None` takes root's back."""
    os.seteuid(0)
    os.setegid(0)
    os.setgroups(who["groups"] if who else [])
    if who:
        os.setegid(who["gid"])
        os.seteuid(who["uid"])
