"""Nobody reads what they may not, whoever they are."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from observatory.audience import Audience, scope
from observatory.identity import PeerCredentials

IDS = st.sampled_from([0, 70_001, 70_002, 70_003, 0xFFFF_FFFD])
"""Root's, and such as no account of a machine has, which elsewhere than on Linux would have groups of its own."""
MAYBE = st.none() | IDS
GROUPS = st.none() | st.lists(IDS, max_size=3).map(tuple)
PEERS = st.none() | st.builds(PeerCredentials, MAYBE, MAYBE, MAYBE, GROUPS, st.none())


@given(IDS, MAYBE, PEERS, MAYBE)
def test_an_event_is_read_by_its_sender_root_the_server_and_readers_and_by_no_one_else(
    server: int, readers: int | None, peer: PeerCredentials | None, sender: int | None
) -> None:
    may_read = scope(Audience(server, readers), peer).holds(sender)
    if peer is None or peer.uid is None:
        assert not may_read
        return
    privileged = peer.uid in (0, server)
    member = readers is not None and (peer.gid == readers or (peer.groups is not None and readers in peer.groups))
    assert may_read == (privileged or member or (sender is not None and sender == peer.uid))
