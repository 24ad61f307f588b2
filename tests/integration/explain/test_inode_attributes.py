"""What is immutable or append-only refuses everybody, root too; the kernel's answer beside this one's."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest

from tests.integration.explain.stage import staged
from tests.integration.explain.test_cases import kernel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.integration.explain.stage import Stage

pytestmark = pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="chattr takes root on Linux")

SET_IMMUTABLE = """
import ctypes, os, struct, sys
held = struct.pack("=QIIII", 0x8, 0, 0, 0, 0)  # struct file_attr with FS_XFLAG_IMMUTABLE (linux/fs.h)
sys.exit(ctypes.CDLL(None).syscall(469, -100, os.fsencode(sys.argv[1]), held, ctypes.c_size_t(24), 0) != 0)
"""
"""file_setattr(2), since Linux 6.17; the same number on all machines."""


@pytest.fixture
def stage(need: Callable[[str, str], str]) -> Iterator[Stage]:
    need("chattr", "e2fsprogs")
    with staged() as made:
        yield made


def agree(stage: Stage, path: str, operation: str, outcome: str) -> None:
    """The kernel and `explain` say the same to root, and so to ali."""
    for who, become in (("root", ""), ("ali", "setpriv --reuid ali --regid ali --init-groups")):
        done = stage.explain(path, "--operation", operation, "--user", who)
        assert done.stdout.splitlines()[0].rpartition(": ")[2].split()[0] == outcome, done.stdout
        if operation in {"connect", "bind"}:
            assert kernel(stage, become, operation, path) == outcome


def test_nothing_is_bound_in_an_immutable_directory(stage: Stage) -> None:
    stage.run("mkdir -m 0777 /run/d; chattr +i /run/d")
    agree(stage, "/run/d/s.sock", "bind", "EPERM")
    done = stage.explain("/run/d/s.sock", "--operation", "bind")
    assert "/run/d is immutable (chattr +i)" in done.stdout
    assert "chattr -i /run/d" in done.stdout
    stage.run("chattr -i /run/d")
    assert stage.explain("/run/d/s.sock", "--operation", "bind").returncode == 0


def test_who_may_not_search_an_immutable_directory_is_told_of_that(stage: Stage) -> None:
    stage.run("mkdir -m 0700 /run/d; chattr +i /run/d")
    become = "setpriv --reuid ali --regid ali --init-groups"
    done = stage.explain("/run/d/s.sock", "--operation", "bind", "--user", "ali")
    assert done.stdout.splitlines()[0].endswith("EACCES at /run/d"), done.stdout
    assert kernel(stage, become, "bind", "/run/d/s.sock") == "EACCES"
    stage.run("chattr -i /run/d")


def test_nothing_leaves_an_append_only_directory_but_all_may_come(stage: Stage) -> None:
    stage.run("mkdir -m 0777 /run/d; serve -- /run/d/s.sock mode=0777; chattr +a /run/d")
    agree(stage, "/run/d/s.sock", "connect", "ok")
    agree(stage, "/run/d/s.sock", "unlink", "EPERM")
    with pytest.raises(AssertionError, match="Operation not permitted"):
        stage.run("rm /run/d/s.sock")
    stage.run("chattr -a /run/d")


def test_nobody_connects_to_an_immutable_socket(stage: Stage) -> None:
    stage.run("serve -- /run/s.sock mode=0777")
    agree(stage, "/run/s.sock", "connect", "ok")
    if stage.enter(sys.executable, "-c", SET_IMMUTABLE, "/run/s.sock").returncode != 0:
        pytest.skip("no socket of this file system can be immutable: that takes XFS and Linux 6.17")
    agree(stage, "/run/s.sock", "connect", "EPERM")
