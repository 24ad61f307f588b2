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

root_only = pytest.mark.skipif(os.geteuid() != 0, reason="only root can make another user's directory")
ME = os.geteuid()
ALICE, MALLORY = 4001, 4003


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """What stands for /tmp, and no runtime directory."""
    with tempfile.TemporaryDirectory(prefix="o-") as name:
        monkeypatch.delenv("CLAUDE_UNIX_HOOK_WATCHER", raising=False)
        monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
        monkeypatch.setattr(address, "DEFAULT_SOCKET", f"{name}/claude-observatory.sock")
        monkeypatch.setattr(address, "open_directory", lambda uid: f"{name}/claude-observatory-{uid}")
        yield Path(name)


@pytest.fixture
def runtime(place: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    directory = place / "runtime"
    directory.mkdir()
    directory.chmod(0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(directory))
    return directory


def bound(path: Path | str, owner: int = ME, mode: int = 0o755) -> str:
    path = Path(path)
    path.parent.mkdir(exist_ok=True)
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(path))
    if path.parent.name.startswith("claude-observatory-"):
        os.chown(path.parent, owner, owner)
        path.parent.chmod(mode)
    return str(path)


def of(place: Path, uid: int) -> Path:
    return place / f"claude-observatory-{uid}" / "claude-observatory.sock"


def test_a_server_listens_in_its_users_runtime_directory(runtime: Path) -> None:
    assert address.own_socket() == f"{runtime}/claude-observatory.sock"


def test_one_that_lets_others_in_listens_where_they_get_to(runtime: Path) -> None:
    assert address.own_socket(lets_others_in=True) == str(of(runtime.parent, ME))


@pytest.mark.parametrize("mode", [0o711, 0o750, 0o1777])
def test_a_runtime_directory_that_others_may_enter_is_none(runtime: Path, mode: int) -> None:
    runtime.chmod(mode)
    assert address.own_socket() == str(of(runtime.parent, ME))


@root_only
def test_a_runtime_directory_of_another_user_is_none(runtime: Path) -> None:
    os.chown(runtime, ALICE, ALICE)
    assert address.own_socket() == str(of(runtime.parent, ME))


@pytest.mark.parametrize("value", ["", "runtime", "/none/of/it", "/" + "x" * 90])
def test_what_is_no_directory_is_none(place: Path, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", value)
    assert address.own_socket() == str(of(place, ME))


def test_a_link_to_a_runtime_directory_is_none(runtime: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (runtime.parent / "link").symlink_to(runtime)
    monkeypatch.setenv("XDG_RUNTIME_DIR", f"{runtime.parent}/link")
    assert address.own_socket() == str(of(runtime.parent, ME))


def test_the_environment_comes_first(runtime: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bound(runtime / "claude-observatory.sock")
    monkeypatch.setenv("CLAUDE_UNIX_HOOK_WATCHER", "/run/o.sock")
    assert address.nominal_socket() == address.hook_socket() == address.default_socket() == "/run/o.sock"


def test_without_any_server_all_look_where_ones_own_will_be(runtime: Path) -> None:
    assert address.hook_socket() == address.default_socket() == address.own_socket()
    assert address.nominal_socket() == f"{runtime.parent}/claude-observatory.sock"


def test_the_well_known_name_is_asked_last_and_never_by_hooks(runtime: Path) -> None:
    known = bound(runtime.parent / "claude-observatory.sock")
    assert address.default_socket() == known
    assert address.hook_socket() == address.own_socket()
    own = bound(runtime / "claude-observatory.sock")
    assert address.default_socket() == address.hook_socket() == own


@root_only
def test_ones_own_server_comes_before_others_who_are_trusted(place: Path) -> None:
    found = []
    for uid in (ALICE, ME):
        found.append(bound(of(place, uid), uid))
        assert address.hook_socket([ALICE]) == address.default_socket([ALICE]) == found[-1]
    of(place, ME).unlink()
    assert address.hook_socket([ALICE]) == found[0]
    assert address.hook_socket() == found[1], "alice is not trusted by who doesn't say so"


@root_only
@pytest.mark.parametrize(("owner", "mode"), [(MALLORY, 0o755), (ALICE, 0o777), (ALICE, 0o1777), (ALICE, 0o775)])
def test_what_others_may_have_made_is_not_found(place: Path, owner: int, mode: int) -> None:
    bound(of(place, ALICE), owner, mode)
    assert address.hook_socket([ALICE]) == address.default_socket([ALICE]) == str(of(place, ME))
