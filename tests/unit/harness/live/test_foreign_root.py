from __future__ import annotations

import errno
import os
import socket
import sys
import time
from typing import TYPE_CHECKING

import pytest

from harness.live import foreign_root
from harness.live.foreign_root import LARGEST, may_read, read_file
from harness.live.limits import in_thread, read_up_to
from harness.world import Principal
from tests.helpers.deadline import PATIENCE
from tests.helpers.descriptors import none_left_open

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="/proc/PID/root is Linux's")

ROOT = Principal(0, 0)


@pytest.fixture(params=["openat2", "walk"], autouse=True)
def opened_by(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """As new kernels have it, and as it is done before Linux 5.6."""
    if request.param == "walk":
        monkeypatch.setattr(foreign_root, "_OPENAT2", 9999)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A root directory beside a file that is not in it."""
    (tmp_path / "secret").write_text("ours")
    (tmp_path / "root" / "etc").mkdir(parents=True)
    return tmp_path / "root"


def number(root: Path, path: str = "etc/group", reader: Principal = ROOT) -> int | None:
    """The errno with which reading is refused."""
    try:
        read_file(str(root), path, reader)
    except OSError as error:
        return error.errno
    return None


def test_a_file_is_read_through_the_symlinks_of_its_own_root(root: Path) -> None:
    (root / "usr" / "share").mkdir(parents=True)
    (root / "usr" / "share" / "group").write_text("theirs")
    (root / "share").symlink_to("/usr/share")
    (root / "etc" / "group").symlink_to("../share/group")
    assert read_file(str(root), "etc/group", ROOT) == b"theirs"
    assert read_file(str(root), "/etc/../share/./group", ROOT) == b"theirs"


@pytest.mark.parametrize("target", ["/secret", "../../secret", "../../../../../../../../secret"])
def test_no_symlink_leads_out_of_a_root(root: Path, target: str) -> None:
    (root / "etc" / "group").symlink_to(target)
    (root / "secret").write_text("theirs")
    assert read_file(str(root), "etc/group", ROOT) == b"theirs"


def test_a_name_of_ours_does_not_exist_inside(root: Path) -> None:
    (root / "etc" / "group").symlink_to(root.parent / "secret")
    assert number(root) == errno.ENOENT


def test_symlinks_that_never_end_are_given_up(root: Path) -> None:
    (root / "etc" / "group").symlink_to("group")
    assert number(root) == errno.ELOOP


def test_what_is_no_regular_file_is_not_opened(root: Path) -> None:
    os.mkfifo(root / "etc" / "group")
    (root / "etc" / "passwd").mkdir()
    with socket.socket(socket.AF_UNIX) as server:
        here = os.open(root / "etc", os.O_RDONLY)
        server.bind(f"/proc/self/fd/{here}/shadow")
        os.close(here)
    began = time.monotonic()
    assert [number(root, f"etc/{name}") for name in ("group", "passwd", "shadow")] == [errno.EINVAL] * 3
    assert time.monotonic() - began < PATIENCE


def test_a_file_without_an_end_is_not_read_to_it(root: Path) -> None:
    with (root / "etc" / "group").open("wb") as file:
        file.truncate(LARGEST + 1)
    assert number(root) == errno.EFBIG
    os.truncate(root / "etc" / "group", LARGEST)
    assert len(read_file(str(root), "etc/group", ROOT)) == LARGEST


def test_a_file_is_shown_to_whom_its_own_mode_shows_it(root: Path) -> None:
    file = root / "etc" / "group"
    file.write_text("x")
    file.chmod(0o640)
    assert number(root, reader=Principal(64000, 64000)) == errno.EACCES
    assert read_file(str(root), "etc/group", Principal(os.getuid(), 64000)) == b"x"
    assert read_file(str(root), "etc/group", Principal(64000, 64000, (file.stat().st_gid,))) == b"x"


@pytest.mark.parametrize(
    ("mode", "reader", "may"),
    [
        (0o000, Principal(0, 0), True),
        (0o400, Principal(5, 9), True),
        (0o044, Principal(5, 9), False),
        (0o404, Principal(8, 6), False),
        (0o040, Principal(8, 9, (6,)), True),
        (0o004, Principal(8, 9), True),
        (0o770, Principal(8, 9), False),
    ],
)
def test_one_class_applies(mode: int, reader: Principal, may: bool) -> None:
    assert may_read(os.stat_result((0o100000 | mode, 1, 1, 1, 5, 6, 1, 0, 0, 0)), reader) is may


def test_no_descriptor_is_left_open(root: Path) -> None:
    (root / "etc" / "passwd").write_text("x")
    os.mkfifo(root / "etc" / "group")
    with none_left_open():
        read_file(str(root), "etc/../etc/passwd", ROOT)
        number(root)
        number(root, "etc/none/x")


def test_work_that_takes_too_long_is_given_up() -> None:
    reading, writing = os.pipe()
    began = time.monotonic()
    with pytest.raises(TimeoutError):
        in_thread(lambda: os.read(reading, 1), 0.1)
    assert time.monotonic() - began < PATIENCE
    os.write(writing, b"x")
    os.close(writing)


def test_what_work_raises_is_raised_by_who_asked_for_it() -> None:
    with pytest.raises(ZeroDivisionError):
        in_thread(lambda: 1 // 0, 5)
    assert in_thread(lambda: None, 5) is None


def test_a_pipe_is_read_up_to_its_limit() -> None:
    reading, writing = os.pipe()
    os.write(writing, b"12345")
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        assert read_up_to(pipe.fileno(), 5) == b"12345"
