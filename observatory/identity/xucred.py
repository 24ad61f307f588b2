"""`struct xucred` of macOS and FreeBSD as credentials. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from observatory.identity.credentials import UNKNOWN, PeerCredentials, known_id, known_pid
from observatory.identity.layouts import parse

if TYPE_CHECKING:
    from observatory.identity.layouts import ByteOrder, Layout

XUCRED_VERSION = 0
"""sys/ucred.h, both systems."""


def credentials(layout: Layout, data: bytes, order: ByteOrder) -> PeerCredentials:
    """What the structure says; all unknown if it is not of this layout and version.

    The first of `cr_groups` is the effective gid, the others are the supplementary groups. The kernel cuts a
    longer list to what fits, so a full one is not known to be complete and is not reported.
    """
    members = parse(layout, data, order)
    if members is None or members["cr_version"] != (XUCRED_VERSION,):
        return UNKNOWN
    (uid,), (count,), groups = members["cr_uid"], members["cr_ngroups"], members["cr_groups"]
    (pid,) = members.get("cr_pid", (0,))
    if not 1 <= count <= len(groups):
        return PeerCredentials(known_pid(pid), known_id(uid), None, None)
    return PeerCredentials(
        known_pid(pid),
        known_id(uid),
        known_id(groups[0]),
        groups[1:count] if count < len(groups) else None,
    )
