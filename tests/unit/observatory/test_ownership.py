"""What is this user's alone, and what is not."""

from __future__ import annotations

import os
import socket
import stat
from typing import TYPE_CHECKING

import pytest

from observatory.errors import ExitStatus, ObservatoryError
from observatory.ownership import check_own_file, make_own_directory, open_own_file, strangers
from tests.helpers.descriptors import none_left_open
from tests.helpers.own_process import umask

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

OTHER = os.geteuid() + 1


def bound(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(os.path.relpath(path))


def linked(path: Path) -> None:
    path.with_name("same").touch(mode=0o600)
    path.hardlink_to(path.with_name("same"))


@pytest.mark.parametrize("umask", [0, 0o777])
def test_a_file_that_is_made_is_its_owner_s_only(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        os.close(open_own_file(str(tmp_path / "f"), os.O_RDWR, make=True))
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "f").stat().st_mode) == 0o600
    check_own_file(str(tmp_path / "f"))
    os.close(open_own_file(str(tmp_path / "f"), os.O_RDONLY))


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (os.mkfifo, "is a named pipe and not a regular file"),
        (lambda path: path.mkdir(), "not a regular file"),
        (bound, "not a regular file"),
        (lambda path: path.symlink_to("/dev/zero"), "symbolic link"),
        (linked, "has 2 names"),
        (lambda path: path.touch(mode=0o644), "mode 0644"),
    ],
)
@pytest.mark.parametrize("access", [os.O_RDONLY, os.O_RDWR])
def test_what_could_be_somebody_else_s_is_named_and_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Callable[[Path], object], says: str, access: int
) -> None:
    monkeypatch.chdir(tmp_path)
    os.umask(os.umask(0) & 0o022)
    make(tmp_path / "f")
    with none_left_open(), pytest.raises(ObservatoryError, match=says) as refused:
        open_own_file(str(tmp_path / "f"), access)
    assert refused.value.status == ExitStatus.NOT_PERMITTED
    assert str(tmp_path / "f") in str(refused.value)
    with none_left_open(), pytest.raises(ObservatoryError, match=str(tmp_path / "f")):
        check_own_file(str(tmp_path / "f"))


def test_one_that_others_may_read_is_narrowed_if_asked_and_one_that_they_may_write_is_not(tmp_path: Path) -> None:
    (tmp_path / "f").touch()
    (tmp_path / "f").chmod(0o644)
    os.close(open_own_file(str(tmp_path / "f"), os.O_RDWR, narrow=True))
    assert stat.S_IMODE((tmp_path / "f").stat().st_mode) == 0o600
    (tmp_path / "f").chmod(0o620)
    with pytest.raises(ObservatoryError, match="mode 0620"):
        open_own_file(str(tmp_path / "f"), os.O_RDWR, narrow=True)


def test_a_name_that_is_free_is_nobody_s(tmp_path: Path) -> None:
    check_own_file(str(tmp_path / "f"))
    with pytest.raises(FileNotFoundError):
        open_own_file(str(tmp_path / "f"), os.O_RDONLY)
    with pytest.raises(ObservatoryError, match=f"there is no directory {tmp_path}/nowhere"):
        open_own_file(str(tmp_path / "nowhere" / "f"), os.O_RDWR, make=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files to others")
def test_a_file_of_another_user_is_not_used(tmp_path: Path) -> None:
    (tmp_path / "f").touch(mode=0o600)
    os.chown(tmp_path / "f", OTHER, OTHER)
    with pytest.raises(ObservatoryError, match=f"belongs to uid {OTHER} and not to uid {os.geteuid()}"):
        open_own_file(str(tmp_path / "f"), os.O_RDWR)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives directories to others")
def test_who_else_may_make_names_in_a_directory(tmp_path: Path) -> None:
    def asked(owner: int, group: int, mode: int) -> str | None:
        os.chown(tmp_path, owner, group)
        tmp_path.chmod(mode)
        return strangers(str(tmp_path))

    assert asked(0, 0, 0o755) is None
    assert asked(0, 0, 0o775) is None  # root's own private group
    assert asked(0, OTHER, 0o775) == f"its group {OTHER}"
    assert asked(0, 0, 0o1777) == "everyone"
    assert asked(OTHER, 0, 0o700) == f"uid {OTHER}, who owns it"
    os.chown(tmp_path, 0, 0)


@pytest.mark.parametrize("mask", [0, 0o777])
def test_a_directory_that_is_made_is_its_owner_s_whatever_the_umask(tmp_path: Path, mask: int) -> None:
    with umask(mask):
        assert make_own_directory(str(tmp_path / "d"))
    assert stat.S_IMODE((tmp_path / "d").stat().st_mode) == 0o700
    assert not make_own_directory(str(tmp_path / "d"))


def test_a_file_of_another_mode_is_made_with_it_and_may_let_in_whom_that_lets_in(tmp_path: Path) -> None:
    path = tmp_path / "made"
    umask = os.umask(0o077)
    try:
        os.close(open_own_file(str(path), os.O_WRONLY, make=True, mode=0o640))
    finally:
        os.umask(umask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    for mode in (0o600, 0o640):
        path.chmod(mode)
        os.close(open_own_file(str(path), os.O_WRONLY, make=True, mode=0o640))
    for mode in (0o644, 0o660):
        path.chmod(mode)
        with pytest.raises(ObservatoryError, match=f"has mode {mode:04o}, .* and chmod 0640 or remove it"):
            open_own_file(str(path), os.O_WRONLY, make=True, mode=0o640)
