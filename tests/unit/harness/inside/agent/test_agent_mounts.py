"""Nodes that are mounts: their options, and what is mounted already."""

from __future__ import annotations

import sys

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
