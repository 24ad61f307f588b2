"""Which files the database is, whose they are, and what is refused in their place."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from observatory.errors import ObservatoryError
from observatory.store import NotStored, Store, database, default_path, open_store
from tests.helpers.events import event
from tests.helpers.stored_lines import lines

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


_OPEN = """
import sys
from observatory.store import open_store
store = open_store(sys.argv[1])
print("open", flush=True)
sys.stdin.read()
"""


def test_a_closed_database_is_one_file_and_its_lock(path: str, tmp_path: Path) -> None:
    store = open_store(path)
    store.append([event(1)])
    store.close()
    assert sorted(file.name for file in tmp_path.iterdir()) == ["events.sqlite3", "events.sqlite3.lock"]


def test_the_database_is_its_owner_s_only_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        store = open_store(str(tmp_path / "db"))
        store.append([event(1)])
        modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()}
        store.close()
    finally:
        os.umask(before)
    assert modes == {"db": 0o600, "db-wal": 0o600, "db-shm": 0o600, "db.lock": 0o600}


def test_a_database_that_others_could_read_is_narrowed(tmp_path: Path) -> None:
    (tmp_path / "db").touch(mode=0o644)
    open_store(str(tmp_path / "db")).close()
    assert stat.S_IMODE((tmp_path / "db").stat().st_mode) == 0o600


def test_a_second_server_is_refused_the_database(path: str, store: Store) -> None:
    with pytest.raises(ObservatoryError, match="another server uses the database"):
        open_store(path)


def test_the_lock_of_a_killed_server_ends_with_it(path: str) -> None:
    child = subprocess.Popen(
        [
            sys.executable,
            "-c",
            _OPEN,
            path,
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"open\n"
        with pytest.raises(ObservatoryError):
            open_store(path)
        child.kill()
    open_store(path).close()


def test_a_symbolic_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "victim").write_text("precious")
    (tmp_path / "db").symlink_to("victim")
    with pytest.raises(ObservatoryError, match="symbolic link"):
        open_store(str(tmp_path / "db"))
    assert (tmp_path / "victim").read_text() == "precious"


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda path: path.write_text("no database, but a letter " * 100), "file is not a database"),
        (lambda path: path.mkdir(), "is not a regular file"),
        (os.mkfifo, "not a regular file"),
    ],
)
def test_what_is_no_database_is_left_alone(tmp_path: Path, make: Callable[[Path], object], says: str) -> None:
    make(tmp_path / "db")
    before = (tmp_path / "db").stat()
    with pytest.raises(ObservatoryError, match=says):
        open_store(str(tmp_path / "db"))
    after = (tmp_path / "db").stat()
    assert (after.st_size, after.st_ino) == (before.st_size, before.st_ino)


def test_a_directory_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ObservatoryError, match=r"nowhere/db.lock: there is no directory .*/nowhere"):
        open_store(str(tmp_path / "nowhere" / "db"))


def test_the_default_place_is_the_user_s_state_directory_with_a_file_for_each_socket(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("STATE_DIRECTORY", raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    assert default_path("/run/a.sock") == str(tmp_path / "state/claude-observatory/run-a.sock.sqlite3")
    assert stat.S_IMODE((tmp_path / "state/claude-observatory").stat().st_mode) == 0o700
    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    state = "Library/Application Support" if sys.platform == "darwin" else ".local/state"
    assert default_path("/run/b.sock") == str(tmp_path / "home" / state / "claude-observatory/run-b.sock.sqlite3")
    monkeypatch.setenv("STATE_DIRECTORY", f"{tmp_path}/var:/other")
    assert default_path("/run/b.sock") == str(tmp_path / "var/run-b.sock.sqlite3")


def test_a_state_directory_that_cannot_be_made_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STATE_DIRECTORY", raising=False)
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    with pytest.raises(ObservatoryError, match=r"cannot make the directory .*file/claude-observatory .*--database"):
        default_path("/run/a.sock")
    monkeypatch.setenv("XDG_STATE_HOME", "relative")
    with pytest.raises(ObservatoryError, match="no state directory"):
        default_path("/run/a.sock")


def test_whether_the_files_are_there_is_looked_at_once_a_second(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(database, "time", SimpleNamespace(monotonic=lambda: now))
    store = open_store(path)
    store.append([event(1)])
    os.rename(path, f"{path}.away")
    now += database.LOOK_EVERY - 0.1
    store.append([event(2)])
    now += 0.2
    with pytest.raises(NotStored, match=r"^events.sqlite3 was removed or replaced while the server ran"):
        store.append([event(3)])
    assert store.last_id == 2
    os.rename(f"{path}.away", path)
    store.append([event(3)])
    assert lines(store) == [event(n).line for n in (1, 2, 3)]
    store.close()
