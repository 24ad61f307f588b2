"""One start at a time of one user's, at one path."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from observatory.listening import starting_lock as module
from observatory.listening.starting_lock import starting_lock

if TYPE_CHECKING:
    from pathlib import Path

_HOLD = """
import sys
from observatory.listening.starting_lock import starting_lock
with starting_lock(sys.argv[1]) as locked:
    print(locked, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE", 0.05)


@pytest.mark.usefixtures("patience")
def test_another_start_at_the_same_path_is_kept_out_and_one_elsewhere_is_not(tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    with subprocess.Popen(
        [sys.executable, "-c", _HOLD, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "True\n"
        with starting_lock(path) as locked, starting_lock(str(tmp_path / "t")) as elsewhere:
            assert (locked, elsewhere) == (False, True)
        other.kill()
    with starting_lock(path) as locked:
        assert locked


def test_the_file_is_gone_afterwards_and_who_waited_for_it_gets_a_new_one(tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    with starting_lock(path):
        (name,) = os.listdir(tmp_path)
        waiting = os.open(tmp_path / name, os.O_RDWR)
    try:
        assert os.fstat(waiting).st_nlink == 0
        with starting_lock(path) as locked:
            assert locked
            assert not os.path.samestat(os.fstat(waiting), (tmp_path / name).stat())
    finally:
        os.close(waiting)
    assert os.listdir(tmp_path) == []


def test_in_a_directory_for_everyone_the_lock_lies_in_one_of_the_user_s_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared, runtime = tmp_path / "shared", tmp_path / "user"
    shared.mkdir()
    shared.chmod(0o1777)
    (runtime / str(os.geteuid())).mkdir(parents=True, mode=0o700)
    monkeypatch.setattr(module, "RUNTIME", str(runtime))
    with starting_lock(str(shared / "s")) as locked:
        assert locked
        assert os.listdir(shared) == []
        (lock,) = (runtime / str(os.geteuid()) / "claude-observatory").iterdir()
        assert lock.stat().st_mode & 0o777 == 0o600


def test_two_paths_to_one_directory_have_one_lock(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real").chmod(0o1777)
    (tmp_path / "link").symlink_to("real")
    assert module.lock_file(str(tmp_path / "real" / "s")) == module.lock_file(str(tmp_path / "link" / "s"))
    assert module.lock_file(str(tmp_path / "real" / "s")) != module.lock_file(str(tmp_path / "real" / "t"))
