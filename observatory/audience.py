"""Which principal may read which event."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from observatory.identity.membership import is_member
from observatory.ownership import ROOT

if TYPE_CHECKING:
    from observatory.identity import PeerCredentials


class Audience(msgspec.Struct, frozen=True):
    """Who reads what others have said, besides everyone what their own uid has."""

    server: int
    """The uid of the server."""
    readers: int | None = None
    """The gid whose members read everything."""


class Scope(msgspec.Struct, frozen=True):
    """What one principal may read: everything, or the events of one uid, or nothing (neither)."""

    everything: bool = False
    uid: int | None = None

    def holds(self, uid: int | None) -> bool:
        """Whether an event that this uid sent may be read; None: the kernel did not know who sent it."""
        return self.everything or (uid is not None and uid == self.uid)


def scope(audience: Audience, peer: PeerCredentials | None) -> Scope:
    """What `peer` may read. Whoever is unknown reads nothing; an unknown group is no member's."""
    if peer is None or peer.uid is None:
        return Scope()
    if peer.uid in {ROOT, audience.server}:
        return Scope(everything=True)
    if audience.readers is not None and is_member(peer, audience.readers):
        return Scope(everything=True)
    return Scope(uid=peer.uid)
