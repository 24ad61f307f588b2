"""Nodes that are mounts: their options, and what is mounted already."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.inside.agent import mounts
from harness.inside.agent.outside import Outside

TABLE = r"""21 1 8:1 / / rw,relatime - ext4 /dev/root rw
35 21 0:30 / /srv/with\040a\040blank rw - tmpfs tmpfs rw
36 21 0:31 / /srv/with\134040 rw - tmpfs tmpfs rw
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has this table")
def test_names_in_the_kernels_table_are_read_as_they_were_before_it_wrote_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Outside, "read", lambda path: {"/proc/self/mountinfo": TABLE}[path])
    assert mounts.mounted() == {21: "/", 35: "/srv/with a blank", 36: r"/srv/with\040"}


def test_options_are_the_flags_of_mount() -> None:
    """linux/mount.h."""
    assert mounts.flags(["ro", "nosuid"]) == 3
    assert mounts.flags(["from=/srv", "noexec"]) == 8


def test_a_bind_mount_shows_what_it_is_told_or_what_is_there() -> None:
    assert mounts.source("/run/x", ["ro", "from=/srv"]) == "/srv"
    assert mounts.source("/run/x", []) == "/run/x"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has this table")
def test_a_path_is_shown_by_the_mount_that_came_last(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Outside, "read", lambda path: {"/proc/self/mountinfo": TABLE}[path])
    assert mounts.shown_by("/srv/with a blank/below") == (35, "/srv/with a blank")
    assert mounts.shown_by("/srv/with a blank beside") == (21, "/")
    later = TABLE + "40 21 0:32 / /srv rw - tmpfs tmpfs rw\n"
    monkeypatch.setattr(Outside, "read", lambda path: later)
    assert mounts.shown_by("/srv/with a blank/below") == (40, "/srv")


OLD_KERNEL = "mounts.MOUNT_SETATTR = -1\n"
"""A number that no kernel has, as mount_setattr(2) before Linux 5.12: ENOSYS."""
PROGRAM = """
import os
from harness.inside.agent import mounts
from harness.inside.libc import MS_NODEV, MS_NOEXEC, MS_RDONLY, mount
{old}
mount("tmpfs", "/mnt", "tmpfs", 0)
os.mkdir("/mnt/below")
mount("tmpfs", "/mnt/below", "tmpfs", MS_NOEXEC)
mounts.restrict("/mnt", MS_NODEV)
print(*(os.statvfs(path).f_flag & 15 for path in ("/mnt", "/mnt/below")))
mounts.restrict("/mnt", MS_RDONLY, recursive=True)
print(*(os.statvfs(path).f_flag & 15 for path in ("/mnt", "/mnt/below")))
mounts.restrict("/mnt", MS_NODEV, recursive=True)
print(*(os.statvfs(path).f_flag & 15 for path in ("/mnt", "/mnt/below")))
"""


@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="mounts, in a mount namespace: Linux, as root")
@pytest.mark.parametrize("old", ["", OLD_KERNEL], ids=["mount_setattr", "remount"])
def test_a_mount_gets_flags_and_loses_none(old: str) -> None:
    """The flags of statvfs(3): 1 ro, 4 nodev, 8 noexec."""
    command = ["unshare", "--mount", sys.executable, "-c", PROGRAM.format(old=old)]
    said = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[5]).stdout
    assert said.splitlines() == ["4 8", "5 9", "5 13"]
