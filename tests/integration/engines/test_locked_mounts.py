"""The user namespace of a place in namespaces: what its root can't undo, and what stands where there is none."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from harness.engines.namespace import NamespaceEngine
from harness.world import ROOT

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
ASK = """
import ctypes, os, socket, sys

descriptor = ctypes.CDLL(None).syscall(438, os.pidfd_open(1), 3, 0)  # pidfd_getfd: the agent's connection
with socket.socket(fileno=descriptor) as setter:
    for path in sys.argv[1:]:
        for flags in (0x10, 0):  # FS_IMMUTABLE_FL
            socket.send_fds(setter, [flags.to_bytes(4, sys.byteorder)], [os.open(path, os.O_RDONLY)])
            print(int.from_bytes(setter.recv(4), sys.byteorder))
"""
"""Asks who sets flags for the place, in the agent's stead."""
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


def test_who_sets_flags_for_a_place_sets_none_on_what_is_brought_in_nor_on_devices(brought: Path) -> None:
    with NamespaceEngine().open(mounts=[f"{brought}:/opt/brought"]) as place:
        if not place.facts.flags:
            pytest.skip("this root lacks CAP_LINUX_IMMUTABLE, or a tmpfs has no flags (Linux 6.6)")
        asked = place.run(["python3", "-c", ASK, "/opt/brought", "/dev/null", "/srv"], ROOT)
    assert asked.stderr == ""
    assert list(map(int, asked.stdout.split())) == [errno.EROFS] * 2 + [errno.ENOTTY] * 2 + [0] * 2
