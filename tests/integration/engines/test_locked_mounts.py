"""The user namespace of a place in namespaces: what its root can't undo, and what stands where there is none."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from harness.engines.namespace import NamespaceEngine

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(
    NamespaceEngine().available() is not None or os.geteuid() != 0, reason=f"{NamespaceEngine().available()}, as root"
)

RUN = """
import json, sys
from harness.engines.namespace import NamespaceEngine
from harness.world import ROOT

with NamespaceEngine().open(mounts=[f"{sys.argv[1]}:/opt/brought"]) as place:
    print(json.dumps([place.run(["sh", "-c", command], ROOT).status for command in sys.argv[2:]]))
"""
WITHOUT = """
import os, sys
from harness.inside.libc import CLONE_NEWNS, CLONE_NEWUSER, unshare

(made, tell_made), (mapped, tell_mapped) = os.pipe(), os.pipe()
pid = os.fork()
if pid == 0:
    unshare(CLONE_NEWUSER | CLONE_NEWNS)
    os.write(tell_made, b".")
    os.read(mapped, 1)
    with open("/proc/sys/user/max_user_namespaces", "w") as most:
        most.write("0")
    os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
os.read(made, 1)
for kind in ("uid_map", "gid_map"):
    with open(f"/proc/{pid}/{kind}", "w") as file:
        file.write("0 0 65536")
os.write(tell_mapped, b".")
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""
"""Goes on as root of a user namespace in which there can be no other, and no device nodes can be made."""
REMOUNT = "mount -o remount,rw,bind /opt/brought && touch /opt/brought/out"
HELD = (
    "touch /opt/brought/in",
    "chmod 0600 /dev/zero",
    "chmod 0400 /proc/execdomains",
    "echo 1 > /proc/sys/fs/suid_dumpable",
)


@pytest.fixture
def brought(tmp_path: Path) -> Path:
    """A directory that ordinary users reach, with a file system of its own."""
    (tmp_path / "brought").mkdir()
    return tmp_path / "brought"


def statuses(brought: Path, *commands: str, beginning: tuple[str, ...] = ()) -> list[int]:
    words = [sys.executable, *beginning, "-c", RUN, str(brought), *commands]
    said: list[int] = json.loads(subprocess.check_output(words, text=True))
    return said


def test_root_of_a_place_makes_nothing_writable_again(brought: Path) -> None:
    done = statuses(brought, *HELD, REMOUNT, "umount /opt/brought", "mknod /tmp/disk b 254 0", "echo x > /dev/null")
    assert [status == 0 for status in done] == [False, True, False, False, False, False, False, True]
    assert list(brought.iterdir()) == []


def test_where_there_are_no_user_namespaces_the_other_walls_stand(brought: Path) -> None:
    brought.chmod(0o777)
    done = statuses(brought, *HELD, "echo x > /dev/null", REMOUNT, beginning=("-c", WITHOUT))
    # The last one is what a user namespace of the place's own is for.
    assert [status == 0 for status in done] == [False, False, False, False, True, True]
    assert [path.name for path in brought.iterdir()] == ["out"]
