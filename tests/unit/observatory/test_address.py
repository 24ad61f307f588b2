"""A server of which nobody says where it is listens, and is looked for, where nobody else can make a socket."""

from __future__ import annotations

import os
import socket
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from observatory import address

if TYPE_CHECKING:
    from collections.abc import Iterator

root_only = pytest.mark.skipif(os.geteuid() != 0, reason="only root can make another user's socket")
ALICE, MALLORY = 4001, 4003


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """What stands for the well-known name in /tmp; there is no runtime directory."""
    with tempfile.TemporaryDirectory(prefix="o-") as name:
        monkeypatch.delenv("CLAUDE_UNIX_HOOK_WATCHER", raising=False)
        monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
        monkeypatch.setattr(address, "DEFAULT_SOCKET", f"{name}/claude-observatory.sock")
        yield Path(name) / "claude-observatory.sock"


@pytest.fixture
def runtime(known: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    directory = known.parent / "runtime"
    directory.mkdir()
    directory.chmod(0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(directory))
    return directory


def bound(path: Path, owner: int | None = None) -> str:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(path))
    if owner is not None:
        os.chown(path, owner, owner)
    return str(path)


def test_a_server_for_its_own_user_listens_in_the_runtime_directory(runtime: Path) -> None:
    assert address.own_socket() == f"{runtime}/claude-observatory.sock"


@pytest.mark.parametrize("mode", [0o711, 0o750, 0o1777])
def test_a_runtime_directory_that_others_may_enter_is_none(known: Path, runtime: Path, mode: int) -> None:
    runtime.chmod(mode)
    assert address.own_socket() == str(known)


@root_only
def test_a_runtime_directory_of_another_user_is_none(known: Path, runtime: Path) -> None:
    os.chown(runtime, ALICE, ALICE)
    assert address.own_socket() == str(known)


@pytest.mark.parametrize("value", ["", "runtime", "/none/of/it", "/" + "x" * 90])
def test_what_is_no_directory_is_none(known: Path, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", value)
    assert address.own_socket() == str(known)


def test_a_link_to_a_runtime_directory_is_none(known: Path, runtime: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (known.parent / "link").symlink_to(runtime)
    monkeypatch.setenv("XDG_RUNTIME_DIR", f"{known.parent}/link")
    assert address.own_socket() == str(known)


def test_the_environment_comes_first(runtime: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bound(runtime / "claude-observatory.sock")
    monkeypatch.setenv("CLAUDE_UNIX_HOOK_WATCHER", "/run/o.sock")
    assert address.default_socket() == "/run/o.sock"


def test_without_any_server_all_look_where_ones_own_will_be(runtime: Path) -> None:
    assert address.default_socket() == f"{runtime}/claude-observatory.sock"


def test_ones_own_server_is_found_wherever_it_listens(known: Path, runtime: Path) -> None:
    for path in (known, runtime / "claude-observatory.sock"):
        bound(path)
        assert address.default_socket() == str(path)


@root_only
def test_a_server_at_the_well_known_name_counts_if_its_user_is_trusted(known: Path, runtime: Path) -> None:
    own = f"{runtime}/claude-observatory.sock"
    bound(known, MALLORY)
    assert address.default_socket() == address.default_socket([ALICE]) == own
    assert address.default_socket([MALLORY]) == str(known)
    os.chown(known, 0, 0)
    assert address.default_socket() == str(known)
    bound(Path(own))
    assert address.default_socket() == own


def test_a_file_or_a_link_is_no_server(known: Path, runtime: Path) -> None:
    known.touch()
    assert address.default_socket() == f"{runtime}/claude-observatory.sock"
    known.unlink()
    known.symlink_to(bound(known.parent / "other"))
    assert address.default_socket() == f"{runtime}/claude-observatory.sock"
