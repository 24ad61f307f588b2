"""What is seen of a socket's directory: whose it is, and whether others may make names on the way to it."""

from __future__ import annotations

import os
import socket
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from observatory.hooks.place import place_of
from tests.helpers.directories import short_directory

if TYPE_CHECKING:
    from collections.abc import Iterator

root_only = pytest.mark.skipif(os.geteuid() != 0, reason="only root can make what is another user's")
NAMED, STRANGER = 4002, 4003


@pytest.fixture
def directory() -> Iterator[Path]:
    with short_directory() as made:
        resolved = made.resolve()
        (resolved / "inner").mkdir(0o700)
        yield resolved / "inner"


def bound(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(path))


@pytest.mark.parametrize(
    ("mode", "place"),
    [(0o700, "own"), (0o755, "own"), (0o775, "unknown"), (0o777, "shared"), (0o1777, "shared"), (0o1755, "unknown")],
)
def test_a_directory_of_ones_own_is_that_as_long_as_others_may_not_write(
    directory: Path, mode: int, place: str
) -> None:
    directory.chmod(mode)
    assert place_of(f"{directory}/o.sock") == place
    bound(directory / "o.sock")
    assert place_of(f"{directory}/o.sock") == place


def test_what_is_no_socket_or_not_there_or_reached_by_a_link_is_unknown(directory: Path) -> None:
    (directory / "file").touch()
    (directory.parent / "link").symlink_to(directory)
    bound(directory / "o.sock")
    (directory / "linked").symlink_to(directory / "o.sock")
    for path in (
        directory / "file",
        directory / "linked",
        directory / "gone" / "o.sock",
        directory.parent / "link" / "o.sock",
    ):
        assert place_of(str(path)) == "unknown"


@root_only
def test_a_socket_of_anothers_in_a_directory_of_ones_own_is_unknown(directory: Path) -> None:
    bound(directory / "o.sock")
    os.chown(directory / "o.sock", STRANGER, STRANGER)
    assert place_of(f"{directory}/o.sock") == "unknown"


@root_only
@pytest.mark.skipif(sys.platform != "linux", reason="/run is Linux's")
@pytest.mark.parametrize(
    ("owner", "mode", "above", "socket", "place"),
    [
        (0, 0o755, 0o755, None, "sure"),
        (0, 0o755, 0o755, 0, "sure"),
        (NAMED, 0o755, 0o755, NAMED, "sure"),
        (0, 0o755, 0o755, STRANGER, "unknown"),
        (STRANGER, 0o755, 0o755, None, "unknown"),
        (0, 0o775, 0o755, None, "unknown"),
        (0, 0o755, 0o775, None, "unknown"),
        (0, 0o755, 0o1777, None, "unknown"),
        (0, 0o1777, 0o755, None, "shared"),
    ],
)
def test_roots_directory_is_sure_if_nobody_else_can_make_a_name_on_the_way(
    owner: int, mode: int, above: int, socket: int | None, place: str
) -> None:
    with tempfile.TemporaryDirectory(dir="/run") as name:
        made = Path(name)
        (made / "above").mkdir()
        inner = made / "above" / "inner"
        inner.mkdir()
        if socket is not None:
            bound(inner / "o.sock")
            os.chown(inner / "o.sock", socket, socket)
        made.chmod(0o755)
        inner.chmod(mode)
        os.chown(inner, owner, owner)
        (made / "above").chmod(above)
        os.seteuid(STRANGER + 1)
        try:
            assert place_of(f"{inner}/o.sock", (NAMED,)) == place
        finally:
            os.seteuid(0)
