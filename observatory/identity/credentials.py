"""What can be said of a peer, and why something could not be said. Data only; the same on every platform."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple


class PeerCredentials(NamedTuple):
    """Who *opened* the connection, in the words of the kernel: its connector, not whoever speaks on it now.

    The kernel records these once: for the accepting side at the peer's connect(), for the connecting side at
    the peer's listen(), for a socketpair at its making. They are never updated. A forked child, a process
    that was handed the descriptor, and a connector that has since changed its uid, executed another program
    or died all carry the connector's identity.

    `uid` and `gid` are the *effective* ids, unsigned; `groups` the supplementary groups as the kernel keeps
    them (whether the gid is among them is the process's choice), complete or `None`. Every field is `None`
    where the kernel said 'unknown' (a peer outside this process's pid or user namespace, an unconnected
    socket) or where the platform keeps no such thing. `None` is never 'nobody' and never this process's own
    id.

    A pid may belong to another process by the time it is read; only `peer_pidfd` can tell.
    """

    pid: int | None
    uid: int | None
    gid: int | None
    groups: tuple[int, ...] | None
    group_count: int | None = None
    """How many supplementary groups there are, where so many are not kept (`accepted_credentials`); else `None`."""


UNKNOWN = PeerCredentials(None, None, None, None)
"""A Unix socket of whose peer the kernel knows nothing."""

KEPT_GROUPS = 1024
"""So many supplementary groups of a peer are kept. A process may have 65,536 (NGROUPS_MAX in linux/limits.h), and
everybody has that many in a user namespace."""

NO_ID = 0xFFFF_FFFF
"""(uid_t)-1 and (gid_t)-1: not an id; what the kernels write where there is none."""


class Unavailable(Enum):
    """Why a question about a peer has no answer. The value is a sentence for a person."""

    OPTION = "this kernel has no such socket option"
    PEER = "the socket has no peer of which the kernel could know anything"
    REAPED = "the peer has died and its parent has collected it"
    SHORT = "the kernel's answer is not of the size that this option has"


def known_id(number: int) -> int | None:
    """A uid or gid, unless it is the number that stands for none."""
    return None if number == NO_ID else number


def known_pid(number: int) -> int | None:
    """A process id, unless it is a number that no process has."""
    return number if number > 0 else None
