"""A private directory for a socket is this user's alone, or there is none."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from observatory.errors import ExitStatus, ObservatoryError
from observatory.listening.private_directory import make_private_directory, others_may_bind

if TYPE_CHECKING:
    from collections.abc import Iterator

root_only = pytest.mark.skipif(os.geteuid() != 0, reason="only root can make another user's directory")


@pytest.fixture
def path() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="o-") as name:
        yield Path(name) / "own"


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_others_may_search_it_and_not_write_in_it(path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        make_private_directory(str(path))
    finally:
        os.umask(before)
    assert mode(path) == 0o755


@pytest.mark.parametrize(("before", "after"), [(0o700, 0o700), (0o755, 0o755), (0o1777, 0o1755), (0o775, 0o755)])
def test_one_that_is_there_is_closed_to_others_who_might_write(path: Path, before: int, after: int) -> None:
    path.mkdir()
    path.chmod(before)
    make_private_directory(str(path))
    assert mode(path) == after


@root_only
def test_another_users_is_left_as_it_is(path: Path) -> None:
    path.mkdir()
    path.chmod(0o777)
    os.chown(path, 4001, 4001)
    with pytest.raises(ObservatoryError, match="belongs to uid 4001, not to uid 0") as caught:
        make_private_directory(str(path))
    assert caught.value.status == ExitStatus.NOT_PERMITTED
    assert mode(path) == 0o777


def test_a_link_is_not_followed(path: Path) -> None:
    real = path.with_name("real")
    real.mkdir()
    real.chmod(0o777)
    path.symlink_to(real)
    with pytest.raises(ObservatoryError, match="is not a directory, and stays as it is"):
        make_private_directory(str(path))
    assert mode(real) == 0o777


def test_a_missing_directory_above_it_is_told(path: Path) -> None:
    with pytest.raises(ObservatoryError, match=r"cannot make the directory .*: No such file or directory"):
        make_private_directory(str(path / "below"))


@root_only
@pytest.mark.parametrize(
    ("owner", "mode", "others"),
    [(0, 0o755, False), (0, 0o1777, True), (0, 0o777, True), (0, 0o775, True), (4001, 0o700, True)],
)
def test_it_is_of_use_where_others_may_make_sockets(path: Path, owner: int, mode: int, others: bool) -> None:
    path.mkdir()
    os.chown(path, owner, owner)
    path.chmod(mode)
    assert others_may_bind(str(path)) is others
