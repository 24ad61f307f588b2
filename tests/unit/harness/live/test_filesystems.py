from __future__ import annotations

import errno
import os
import stat

import pytest

from harness.live.accounts import Account, FileAccounts
from harness.live.actor import Actor
from harness.live.components import Component, Hidden
from harness.live.filesystems import modes_count, obstacles, obstacles_to_bind, out_of_reach, title
from harness.live.mounts import MountPoint
from harness.world import Principal

ACCOUNTS = FileAccounts((Account("bob", 1001, 100, ()),), {})
SHARED = ("rw", "user_id=1001", "group_id=100", "allow_other", "default_permissions")


def asker(uid: int, gid: int) -> Actor:
    return Actor(f"uid-{uid}", Principal(uid, gid), ACCOUNTS)


def mount(filesystem: str, *settings: str, root: str = "/", source: str = "none") -> MountPoint:
    return MountPoint("/mnt", filesystem, ("ro",), 40, 40, root, source, settings)


def seen(path: str = "/mnt", kind: int = stat.S_IFDIR, links: int = 1) -> Component:
    names = {stat.S_IFDIR: "directory", stat.S_IFSOCK: "socket"}
    status = os.stat_result((kind | 0o755, 2, 1, links, 0, 0, 0, 0, 0, 0))
    return Component(path, names[kind], status, (), None, 40)  # type: ignore[arg-type]


def said(mount: MountPoint, who: Actor, *way: Component | Hidden) -> list[tuple[str, str | None]]:
    return [(one.at, one.outcome) for one in obstacles(way or (seen(),), {40: mount}, who)]


@pytest.mark.parametrize(
    ("settings", "who", "outcome"),
    [
        (("user_id=1001", "group_id=100", "default_permissions"), (1001, 100), []),
        (("user_id=1001", "group_id=100", "default_permissions"), (0, 0), [("/mnt", "EACCES")]),
        (("user_id=1001", "group_id=100", "default_permissions"), (1001, 5), [("/mnt", "EACCES")]),
        (SHARED, (5, 5), []),
        (("user_id=1001", "group_id=100", "allow_other"), (5, 5), [("/mnt", None)]),
    ],
)
def test_a_mount_of_fuse_lets_in_whom_its_options_say(
    settings: tuple[str, ...], who: tuple[int, int], outcome: list[tuple[str, str | None]]
) -> None:
    assert said(mount("fuse.some", *settings), asker(*who)) == outcome


def test_sshfs_does_not_look_at_who_asks() -> None:
    far = mount("fuse.sshfs", "user_id=0", "group_id=0", "allow_other")
    assert said(far, asker(5, 5)) == []
    assert not modes_count(far)
    assert modes_count(mount("fuse", *SHARED))
    assert modes_count(mount("ext4"))


def test_another_machines_permissions_are_not_known() -> None:
    assert said(mount("nfs4"), asker(0, 0)) == [("/mnt", None)]


def test_a_server_that_has_ended_and_one_that_does_not_answer() -> None:
    dead, hung = Hidden("/mnt", errno.ENOTCONN, 40), Hidden("/mnt", errno.ETIMEDOUT, 40)
    shared = mount("fuse.some", *SHARED)
    assert said(shared, asker(5, 5), dead) == [("/mnt", "ENOTCONN")]
    assert said(shared, asker(5, 5), hung) == [("/mnt", None)]
    (told,) = obstacles((dead,), {40: shared}, asker(5, 5))
    assert told.changes[0].text == "umount -l /mnt  # and mount it again"


@pytest.mark.parametrize(
    ("filesystem", "outcomes"),
    [
        ("ext4", []),
        ("fuse.bindfs", []),
        ("vfat", ["EPERM"]),
        ("cgroup2", ["EPERM"]),
        ("fuse.sshfs", ["EPERM"]),
        ("fuse.some", [None]),
        ("proc", ["ENOENT"]),
    ],
)
def test_where_a_socket_can_be_made(filesystem: str, outcomes: list[str | None]) -> None:
    assert [one.outcome for one in obstacles_to_bind(seen(), mount(filesystem, *SHARED))] == outcomes


def test_nothing_is_made_in_a_directory_that_was_deleted() -> None:
    assert [one.outcome for one in obstacles_to_bind(seen(links=0), mount("ext4"))] == ["ENOENT"]


def test_a_socket_that_is_only_shown_is_reached_where_it_was_bound() -> None:
    mirror = out_of_reach(seen("/mnt/d/s", stat.S_IFSOCK), mount("fuse", *SHARED, source="/srv/real"))
    assert mirror is not None
    assert mirror.changes[0].text == "connect to /srv/real/d/s"
    unnamed = out_of_reach(seen("/mnt/d/s", stat.S_IFSOCK), mount("fuse.some", *SHARED))
    assert unnamed is not None
    assert "the path at which its server has bound it" in unnamed.changes[0].text


def test_a_mounted_file_that_was_deleted_is_not_the_servers_next_one() -> None:
    gone = mount("tmpfs", root="/docker.sock//deleted")
    assert out_of_reach(seen("/mnt", stat.S_IFSOCK), gone) is not None
    assert out_of_reach(seen("/mnt", stat.S_IFSOCK, links=0), mount("tmpfs")) is not None
    assert out_of_reach(seen("/mnt", stat.S_IFSOCK), mount("tmpfs")) is None


def test_a_mount_is_named_by_its_kind_and_whose_it_is() -> None:
    own = mount("fuse.some", "user_id=1001", "group_id=100")
    assert title(own, asker(0, 0)) == "fuse.some ro of bob (uid 1001) without allow_other"
    assert title(mount("ext4", root="/srv/app"), asker(0, 0)) == "ext4 /srv/app ro"
    assert title(mount("tmpfs", root="/s//deleted"), asker(0, 0)) == "tmpfs /s, deleted ro"
    assert title(mount("fuse.some", *SHARED[:1], "user_id=7", "allow_other"), asker(0, 0)) == "fuse.some ro of uid 7"
