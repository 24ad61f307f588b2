"""Claims: what a process says that it may leave behind, and what others take away when it is dead."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from harness.engines import leftovers
from harness.engines.protocol import PlaceError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.skipif(os.name != "posix", reason="flock(2)")
CLAIMS = """
import os, sys
from harness.engines import leftovers
held = leftovers.claim("directory", sys.argv[1])
os.mkdir(sys.argv[1])
open(sys.argv[1] + "/file", "w").close()
print("made", flush=True)
sys.stdin.readline()
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "claude-observatory-harness" / "claims"


@pytest.fixture
def other(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that has claimed and made the directory `left`."""
    command = [sys.executable, "-c", CLAIMS, str(tmp_path / "left")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "made\n"
        yield process
        process.kill()


def test_what_a_living_process_has_made_stays(other: subprocess.Popen[str], tmp_path: Path) -> None:
    leftovers.clear_directories()
    assert (tmp_path / "left" / "file").exists()
    assert list(leftovers.dead("directory")) == []


def test_what_a_killed_process_has_made_is_taken_away_once(
    other: subprocess.Popen[str], tmp_path: Path, folder: Path
) -> None:
    (tmp_path / "beside").mkdir()
    other.send_signal(signal.SIGKILL)
    other.wait()
    assert [left.which for left in leftovers.dead("something else")] == []
    leftovers.clear_directories()
    assert not (tmp_path / "left").exists()
    assert (tmp_path / "beside").exists()
    assert list(folder.iterdir()) == []


def test_whoever_inherits_the_lock_lives_too(tmp_path: Path) -> None:
    claim = leftovers.claim("directory", str(tmp_path / "left"))
    (tmp_path / "left").mkdir()
    heir = subprocess.Popen(["cat"], stdin=subprocess.PIPE, pass_fds=[claim.lock.fileno()])
    claim.leave()
    leftovers.clear_directories()
    assert (tmp_path / "left").exists()
    heir.communicate()
    leftovers.clear_directories()
    assert not (tmp_path / "left").exists()


def test_a_link_in_the_place_of_a_directory_is_not_followed(tmp_path: Path, folder: Path) -> None:
    (tmp_path / "precious").mkdir()
    (tmp_path / "left").symlink_to("precious")
    leftovers.claim("directory", str(tmp_path / "left")).leave()
    leftovers.clear_directories()
    assert (tmp_path / "precious").exists()
    assert list(folder.iterdir()) == []


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root can give a directory away")
def test_another_users_directory_of_that_name_stays(tmp_path: Path) -> None:
    (tmp_path / "left").mkdir()
    os.chown(tmp_path / "left", 1234, 1234)
    leftovers.claim("directory", str(tmp_path / "left")).leave()
    leftovers.clear_directories()
    assert (tmp_path / "left").exists()


def test_claims_where_others_can_write_are_refused(folder: Path) -> None:
    leftovers.claim("directory", "/nowhere").release()
    folder.chmod(0o777)
    with pytest.raises(PlaceError, match="must be this user's, and writable for nobody else"):
        leftovers.claim("directory", "/nowhere")
