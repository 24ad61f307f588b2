"""What docs/comparison.md says of other tools, seen by running them beside `harness explain`."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.helpers.dead_socket import leave_dead_socket
from tests.helpers.directories import short_directory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).parents[3]
STRANGER = 65534
CONNECT = "import socket, sys; socket.socket(socket.AF_UNIX).connect(sys.argv[1])"

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0, reason="needs root on Linux, to be another user"
)


@pytest.fixture
def closed() -> Iterator[Path]:
    """A socket that is open to everyone, in a directory that is not."""
    with short_directory(0o755) as top, socket.socket(socket.AF_UNIX) as server:
        (top / "home").mkdir(mode=0o750)
        path = top / "home" / "s.sock"
        server.bind(str(path))
        server.listen()
        path.chmod(0o777)
        yield path


@pytest.fixture
def dead() -> Iterator[Path]:
    """A socket that is open to everyone, and whose server has ended."""
    with short_directory(0o755) as top:
        leave_dead_socket(top / "s.sock", 0o777)
        yield top / "s.sock"


def stranger_sees(*words: str) -> str:
    """All that a command prints to one who has no right to anything here."""
    return subprocess.run(
        words,
        user=STRANGER,
        group=STRANGER,
        extra_groups=(),
        cwd="/",
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    ).stdout


def explained(path: Path) -> str:
    return subprocess.run(
        [sys.executable, "-m", "harness", "explain", str(path), "--uid", str(STRANGER)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    ).stdout


def test_explain_names_the_directory_the_class_and_a_change(closed: Path) -> None:
    answer = explained(closed)
    assert f"EACCES at {closed.parent}" in answer
    assert "The class other applies" in answer
    assert f"chmod o+x {closed.parent}  (lets in everybody too)" in answer


def test_explain_says_that_nobody_listens(dead: Path) -> None:
    assert f"ECONNREFUSED at {dead}" in explained(dead)


def test_namei_shows_modes_and_leaves_the_rest_to_the_reader(
    closed: Path, dead: Path, need: Callable[[str, str], str]
) -> None:
    namei = need("namei", "util-linux")
    shown = stranger_sees(namei, "-l", str(closed))
    assert "drwxr-x--- root root home" in shown
    assert "s.sock - Permission denied" in shown
    shown = stranger_sees(namei, "-l", str(dead))
    assert shown.endswith("srwxrwxrwx root root s.sock\n")


def test_strace_shows_the_errno_of_the_whole_path(closed: Path, dead: Path, need: Callable[[str, str], str]) -> None:
    strace = need("strace", "strace")
    for path, errno in ((closed, "EACCES"), (dead, "ECONNREFUSED")):
        shown = stranger_sees(strace, "-e", "trace=connect", "/usr/bin/python3", "-c", CONNECT, str(path))
        (call,) = (line for line in shown.splitlines() if line.startswith("connect("))
        assert f'sun_path="{path}"' in call
        assert f"= -1 {errno} (" in call


def test_libexplain_names_the_component_for_open_alone(closed: Path, need: Callable[[str, str], str]) -> None:
    explain = need("explain", "explain")
    shown = " ".join(stranger_sees(explain, "-e", "EACCES", "open", str(closed), "O_RDWR").split())
    assert f'does not have search permission to the pathname "{closed.parent}" directory' in shown
    assert "DAC_READ_SEARCH" in shown
    assert "requires 3 arguments" in stranger_sees(explain, "-e", "EACCES", "connect", "3", str(closed))
