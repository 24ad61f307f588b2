from __future__ import annotations

import pytest

from harness.live.kernel_text import lines_of
from harness.live.mounts import Fuse, MountPoint, device_number, parse_mounts, read_mounts

LINES = lines_of(rb"""22 27 0:21 / /proc rw,relatime - proc proc rw
27 1 254:0 / / rw,relatime shared:1 master:2 - ext4 /dev/vda rw,discard
28 27 0:25 / /run rw,nosuid,nodev - tmpfs tmpfs rw,size=4k,mode=755
29 27 0:26 / /srv/with\040blank\134and\011tab ro,noexec - tmpfs none rw
30 27 254:0 /etc /backup rw - ext4 /dev/vda ro
31 27 0:26 / /run rw - tmpfs above rw
""")


def test_each_line_is_a_mount_with_the_options_that_count() -> None:
    assert parse_mounts(LINES)[1:4] == (
        MountPoint("/", "ext4", (), 27, device_number(254, 0), "/", "/dev/vda", ("rw", "discard")),
        MountPoint(
            "/run", "tmpfs", ("nosuid", "nodev"), 28, device_number(0, 25), "/", "tmpfs", ("rw", "size=4k", "mode=755")
        ),
        MountPoint(
            "/srv/with blank\\and\ttab", "tmpfs", ("ro", "noexec"), 29, device_number(0, 26), "/", "none", ("rw",)
        ),
    )


def test_a_mount_of_a_read_only_file_system_is_read_only() -> None:
    assert parse_mounts(LINES)[4] == MountPoint(
        "/backup", "ext4", ("ro",), 30, device_number(254, 0), "/etc", "/dev/vda", ("ro",)
    )


def test_what_is_mounted_last_is_the_last() -> None:
    assert [mount.path for mount in parse_mounts(LINES)].count("/run") == 2
    assert parse_mounts(LINES)[-1] == MountPoint("/run", "tmpfs", (), 31, device_number(0, 26), "/", "above", ("rw",))


def test_a_mount_of_fuse_says_who_may_use_it_and_by_whose_rules() -> None:
    lines = lines_of(
        rb"""40 27 0:40 / /mnt rw - fuse.sshfs h:/srv rw,user_id=1001,group_id=100
41 27 0:41 / /all rw - fuse /srv rw,user_id=0,group_id=0,default_permissions,allow_other
42 27 0:42 / /sys/fs/fuse/connections rw - fusectl fusectl rw
"""
    )
    strict, shared, control = parse_mounts(lines)
    assert strict.fuse == Fuse(1001, 100, allow_other=False, default_permissions=False)
    assert shared.fuse == Fuse(0, 0, allow_other=True, default_permissions=True)
    assert control.fuse is None


def test_what_is_mounted_may_have_lost_its_name() -> None:
    (mount,) = parse_mounts(
        [b"40 27 254:0 /srv/a\\040b.sock//deleted /run/s rw - ext4 /dev/vda rw".replace(b"\\\\", b"\\")]
    )
    assert mount.deleted
    assert not parse_mounts(LINES)[0].deleted


def test_lines_of_another_form_are_passed_over() -> None:
    lines = [b"", b"1 2 3", b"22 27 0:21 / /proc rw relatime proc proc rw", b"1 2 0:1 / /x rw -"]
    assert parse_mounts(lines) == ()


def test_a_process_that_is_not_there_has_no_mounts_that_could_be_told() -> None:
    with pytest.raises(FileNotFoundError):
        read_mounts("nobody")
