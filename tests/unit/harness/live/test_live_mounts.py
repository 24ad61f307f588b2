from __future__ import annotations

import pytest

from harness.live.kernel_text import lines_of
from harness.live.mounts import MountPoint, device_number, parse_mounts, read_mounts

LINES = lines_of(rb"""22 27 0:21 / /proc rw,relatime - proc proc rw
27 1 254:0 / / rw,relatime shared:1 master:2 - ext4 /dev/vda rw,discard
28 27 0:25 / /run rw,nosuid,nodev - tmpfs tmpfs rw,size=4k,mode=755
29 27 0:26 / /srv/with\040blank\134and\011tab ro,noexec - tmpfs none rw
30 27 254:0 /etc /backup rw - ext4 /dev/vda ro
31 27 0:26 / /run rw - tmpfs above rw
""")


def test_each_line_is_a_mount_with_the_options_that_count() -> None:
    assert parse_mounts(LINES)[1:4] == (
        MountPoint("/", "ext4", (), 27, device_number(254, 0)),
        MountPoint("/run", "tmpfs", ("nosuid", "nodev"), 28, device_number(0, 25)),
        MountPoint("/srv/with blank\\and\ttab", "tmpfs", ("ro", "noexec"), 29, device_number(0, 26)),
    )


def test_a_mount_of_a_read_only_file_system_is_read_only() -> None:
    assert parse_mounts(LINES)[4] == MountPoint("/backup", "ext4", ("ro",), 30, device_number(254, 0))


def test_what_is_mounted_last_is_the_last() -> None:
    assert [mount.path for mount in parse_mounts(LINES)].count("/run") == 2
    assert parse_mounts(LINES)[-1] == MountPoint("/run", "tmpfs", (), 31, device_number(0, 26))


def test_lines_of_another_form_are_passed_over() -> None:
    lines = [b"", b"1 2 3", b"22 27 0:21 / /proc rw relatime proc proc rw", b"1 2 0:1 / /x rw -"]
    assert parse_mounts(lines) == ()


def test_a_process_that_is_not_there_has_no_mounts_that_could_be_told() -> None:
    with pytest.raises(FileNotFoundError):
        read_mounts("nobody")
