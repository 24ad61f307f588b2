"""What a server remembers of sessions outlives it, whatever cut it off."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import msgspec
import pytest

from observatory.errors import ObservatoryError
from observatory.sessions.memory import Memory, Remembered, Where, here

if TYPE_CHECKING:
    from pathlib import Path

A = Remembered(Where("boot", "pid:[1]"), 1000, 1000, (5,), "a", 7, 1000, 99)
B = msgspec.structs.replace(A, session="b", pid=8)
OTHER = msgspec.structs.replace(A, uid=1001)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "sessions"


def remembered(path: Path) -> list[Remembered]:
    memory = Memory(path)
    memory.close()
    return memory.sessions()


def test_what_began_and_is_not_over_is_there_the_next_time(path: Path) -> None:
    memory = Memory(path)
    for entry in (A, B, OTHER):
        memory.began(entry)
    memory.over(1000, "a")
    memory.over(1000, "never heard of")
    memory.close()
    assert remembered(path) == [B, OTHER]


def test_it_is_there_without_being_closed(path: Path) -> None:
    memory = Memory(path)
    memory.began(A)
    assert remembered(path) == [A]
    memory.close()


def test_a_session_that_begins_again_has_its_latest_process(path: Path) -> None:
    memory = Memory(path)
    again = msgspec.structs.replace(A, pid=9)
    memory.began(A)
    memory.over(1000, "a")
    memory.began(again)
    memory.close()
    assert remembered(path) == [again]


def test_a_line_that_was_cut_off_costs_that_line_only(path: Path) -> None:
    memory = Memory(path)
    memory.began(A)
    memory.began(B)
    memory.close()
    path.write_bytes(path.read_bytes()[:-10])
    assert remembered(path) == [A]
    path.write_bytes(b"not json\n{}\n[]\n" + msgspec.json.encode(B) + b"\n")
    assert remembered(path) == [B]


def test_opening_it_makes_it_small_again(path: Path) -> None:
    memory = Memory(path)
    for _ in range(100):
        memory.began(A)
        memory.over(1000, "a")
    memory.close()
    assert remembered(path) == []
    assert path.stat().st_size == 0
    assert os.listdir(path.parent) == ["sessions"]


def test_it_is_private_under_every_umask(path: Path) -> None:
    before = os.umask(0)
    try:
        Memory(path).close()
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_no_link_is_followed(path: Path, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("keep")
    path.symlink_to(victim)
    with pytest.raises(ObservatoryError, match=r"sessions is a symbolic link, which is not followed"):
        Memory(path)
    assert victim.read_text() == "keep"


def test_a_full_disk_ends_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    memory = Memory(path)
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        memory.began(A)
    memory.began(B)
    memory.close()
    assert remembered(path) == [B]


@pytest.mark.skipif(not os.path.exists("/proc/self/ns/pid"), reason="needs Linux's /proc")
def test_this_boot_and_this_namespace_have_names() -> None:
    where = here()
    assert where is not None
    assert len(where.boot) == 36
    assert where.namespace.startswith("pid:[")
