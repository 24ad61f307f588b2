"""Who may read what."""

from __future__ import annotations

import os

import pytest

from observatory.audience import Audience, Scope, scope
from observatory.identity import PeerCredentials, membership

SERVER, READERS = 990, 500
AUDIENCE = Audience(SERVER, READERS)


def peer(uid: int | None, gid: int | None = 1, groups: tuple[int, ...] | None = ()) -> PeerCredentials:
    return PeerCredentials(1, uid, gid, groups)


@pytest.mark.parametrize(
    "reader", [peer(0), peer(SERVER), peer(1000, READERS), peer(1000, 1000, (7, READERS)), peer(0, None, None)]
)
def test_root_the_server_s_own_uid_and_members_of_the_readers_group_read_everything(reader: PeerCredentials) -> None:
    assert scope(AUDIENCE, reader) == Scope(everything=True)


@pytest.mark.parametrize(
    "reader", [peer(1000), peer(1000, 0, (0,)), peer(1000, None, None), peer(65534), peer(1000, 990, (990,))]
)
def test_everyone_else_reads_what_their_own_uid_has_said(reader: PeerCredentials) -> None:
    assert scope(AUDIENCE, reader) == Scope(uid=reader.uid)


@pytest.mark.parametrize("reader", [None, peer(None), peer(None, READERS, (READERS,))])
def test_whoever_is_unknown_reads_nothing(reader: PeerCredentials | None) -> None:
    assert scope(AUDIENCE, reader) == Scope()


@pytest.mark.parametrize(("knows", "everything"), [(True, False), (False, True)])
def test_where_the_kernel_tells_not_all_groups_the_accounts_are_asked(
    monkeypatch: pytest.MonkeyPatch, knows: bool, everything: bool
) -> None:
    monkeypatch.setattr(membership, "KERNEL_KNOWS_ALL", knows)
    monkeypatch.setattr(os, "getgrouplist", lambda _name, gid: [gid, READERS])
    assert scope(AUDIENCE, peer(0, 1, None)).everything  # root in any case
    own = peer(os.geteuid(), 1, None)
    assert membership.is_member(own, READERS) is everything
    assert not membership.is_member(own, 7)
    assert not membership.is_member(peer(4_000_000_000, 1, None), READERS)


def test_without_a_readers_group_no_group_matters() -> None:
    assert scope(Audience(SERVER), peer(1000, None, None)) == Scope(uid=1000)
    assert scope(Audience(SERVER), peer(1000, READERS, (READERS,))) == Scope(uid=1000)


def test_what_nobody_is_known_to_have_said_is_for_those_who_read_everything() -> None:
    assert Scope(everything=True).holds(None)
    assert not Scope(uid=1000).holds(None)
    assert not Scope().holds(None)


def test_a_scope_of_one_uid_holds_that_one_s_events() -> None:
    assert Scope(uid=0).holds(0)
    assert not Scope(uid=1000).holds(1001)
    assert not Scope().holds(0)
