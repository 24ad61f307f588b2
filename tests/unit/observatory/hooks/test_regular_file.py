"""Whatever stands in the place of a file is told at once, and not read."""

from __future__ import annotations

import os
import re
import socket
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from observatory.hooks import regular_file
from observatory.hooks.regular_file import LARGEST, read_regular
from tests.helpers.own_process import effective_user

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


root_only = pytest.mark.skipif(os.geteuid() != 0, reason="only root can make another user's file")


@pytest.fixture
def path() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="o-") as name:
        Path(name).chmod(0o777)
        yield Path(name) / "f"


def bound(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(path))


def sparse(path: Path) -> None:
    path.touch()
    os.truncate(path, 1 << 40)


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (os.mkfifo, "a named pipe"),
        (lambda path: path.symlink_to("/dev/zero"), "a symbolic link"),
        (Path.mkdir, "a directory"),
        (bound, "a socket"),
        (sparse, "more than 1024 KiB"),
        (lambda path: path.write_bytes(b"x" * (LARGEST + 1)), "more than 1024 KiB"),
    ],
)
def test_what_is_no_file_of_that_size_is_named(path: Path, make: Callable[[Path], object], kind: str) -> None:
    make(path)
    with pytest.raises(OSError, match=kind):
        read_regular(path)


def test_a_device_is_named() -> None:
    with pytest.raises(OSError, match="a device"):
        read_regular("/dev/zero")


def test_a_file_that_grows_is_read_no_further(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path.write_bytes(b"x" * (LARGEST + 1))
    monkeypatch.setattr(regular_file, "_check", lambda found: None)
    with pytest.raises(OSError, match="more than 1024 KiB"):
        read_regular(path)


def test_a_pipe_that_comes_after_the_look_holds_nobody_up(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    check, looks = regular_file._check, list[int]()

    def look(found: os.stat_result) -> None:
        looks.append(found.st_mode)
        if len(looks) == 1:
            path.unlink()
            os.mkfifo(path)
        check(found)

    path.touch()
    monkeypatch.setattr(regular_file, "_check", look)
    with pytest.raises(OSError, match="a named pipe"):
        read_regular(path)


@root_only
def test_another_users_file_is_read_by_root_alone(path: Path) -> None:
    path.write_bytes(b"{}")
    for owner in (0, 4001):
        os.chown(path, owner, owner)
        with effective_user(4001):
            assert read_regular(path) == b"{}"
    with effective_user(4002), pytest.raises(PermissionError, match=re.escape("belongs to uid 4001, not to uid 4002")):
        read_regular(path)
    assert read_regular(path) == b"{}"
