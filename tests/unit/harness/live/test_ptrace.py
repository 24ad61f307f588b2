from __future__ import annotations

import os
import sys
from dataclasses import replace

import pytest

from harness.live.ptrace import CAP_SYS_PTRACE, Traced, traced, why_not
from harness.world import Principal

ALI = Principal(1000, 1000)
THEIRS = Traced(7, frozenset({1000}), frozenset({1000}), 0, dumpable=True, namespace="user:[1]")


@pytest.mark.parametrize(
    ("process", "capabilities", "alike", "why"),
    [
        (THEIRS, 0, True, None),
        (replace(THEIRS, uids=frozenset({0, 1000})), 0, True, "its uid is not 1000"),
        (replace(THEIRS, gids=frozenset({5})), 0, True, "its gid is not 1000"),
        (replace(THEIRS, dumpable=False), 0, True, "it may not be dumped"),
        (replace(THEIRS, permitted=1), 0, True, "it has capabilities that the other lacks"),
        (replace(THEIRS, permitted=1), 3, True, None),
        (THEIRS, 0, False, "it is in another user namespace"),
        (replace(THEIRS, uids=frozenset({0}), permitted=~0), CAP_SYS_PTRACE, False, None),
    ],
)
def test_one_check_after_the_other(process: Traced, capabilities: int, alike: bool, why: str | None) -> None:
    said = why_not(process, ALI, capabilities, alike=alike)
    assert said is None if why is None else said is not None and said.startswith(why)


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
def test_a_process_is_read_as_it_is() -> None:
    mine = traced(os.getpid())
    assert os.geteuid() in mine.uids
    assert os.getegid() in mine.gids
    assert mine.dumpable
    assert mine.namespace == os.readlink("/proc/self/ns/user")
