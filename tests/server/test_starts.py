"""Two who start at the same moment, and a stranger who tries all the time."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from observatory.events import compose, take_apart, timestamp
from observatory.identity import PeerCredentials
from observatory.listening import Specification, listen
from observatory.store import open_store
from tests.helpers.dead_socket import leave_dead_socket
from tests.helpers.deadline import PATIENCE, until
from tests.helpers.directories import short_directory
from tests.helpers.observatory_command import environment
from tests.helpers.observatory_server import ObservatoryServer, start
from tests.helpers.own_process import umask
from tests.helpers.unix_http import connected, post, read_answer

if TYPE_CHECKING:
    from collections.abc import Iterator

# Everything is imported, and then it waits for the end of its standard input, which is the same pipe for all of them.
_AT_THE_SIGNAL = """
import sys
import observatory.cli.serve, observatory.service.assembly, observatory.store, observatory.listening
from observatory.cli.main import main
print("ready", flush=True)
sys.stdin.read()
sys.exit(main(["serve", *sys.argv[1:]]))
"""


def at_once(directory: Path, *commands: list[str]) -> list[subprocess.Popen[bytes]]:
    """Several servers that begin at the same moment."""
    reading, writing = os.pipe()
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", _AT_THE_SIGNAL, *arguments],
            env=environment(directory),
            stdin=reading,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for arguments in commands
    ]
    os.close(reading)
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
    os.close(writing)
    return processes


def first_lines(processes: list[subprocess.Popen[bytes]]) -> list[bytes]:
    lines = []
    for process in processes:
        assert process.stderr is not None
        lines.append(process.stderr.readline())
    return lines


@pytest.mark.timeout(7200)
@pytest.mark.parametrize("before", ["nothing", "a dead server's socket", "a database for both"])
def test_of_two_servers_that_start_at_the_same_moment_one_serves(directory: Path, full: bool, before: str) -> None:
    """200 times if `OBSERVATORY_FULL=1`, else 6, for each of three beginnings."""
    for round_ in range(200 if full else 6):
        path = f"{directory}/s"
        if before == "a dead server's socket":
            leave_dead_socket(Path(path))
        databases = ["db", "db"] if before == "a database for both" else ["a", "b"]
        processes = at_once(directory, *(["--socket", path, "--database", f"{directory}/{name}"] for name in databases))
        lines = first_lines(processes)
        serving = [line.startswith(b"listening on ") for line in lines]
        assert sorted(serving) == [False, True], (round_, lines)
        winner, loser = processes if serving[0] else reversed(processes)
        assert loser.wait(PATIENCE) == 1
        refusal = lines[serving.index(False)]
        assert refusal == f"a server already listens on {path}\n".encode(), refusal
        with connected(path) as sock:
            sock.sendall(post())
            assert read_answer(sock)[0] == 200
        winner.terminate()
        assert winner.wait(PATIENCE) == 0
        assert not Path(path).exists()
        for process in processes:
            with process:
                pass


# Tries to connect all the time; prints how often it tried and how often it got in, when its standard input ends.
_STRANGER = """
import os, select, socket, sys
path, tried, got_in = sys.argv[1], 0, 0
print("ready", flush=True)
while not (tried % 256 == 0 and select.select([0], [], [], 0)[0]):
    tried += 1
    sock = socket.socket(socket.AF_UNIX)
    sock.setblocking(False)
    try:
        sock.connect(path)
        got_in += 1
    except BlockingIOError:
        got_in += 1
    except OSError:
        pass
    sock.close()
print(tried, got_in, flush=True)
"""


class Stranger:
    """Another user, at a path."""

    def __init__(self, path: str) -> None:
        setpriv = shutil.which("setpriv")
        if os.geteuid() != 0 or setpriv is None:
            pytest.skip("needs root, and util-linux's setpriv, to be someone else")
        someone = [setpriv, "--reuid=4711", "--regid=4711", "--clear-groups", "--bounding-set=-all", "--inh-caps=-all"]
        self.process = subprocess.Popen(
            [*someone, _interpreter(someone), "-I", "-S", "-c", _STRANGER, path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd="/",
        )
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "ready\n"

    def end(self) -> tuple[int, int]:
        """How often it tried, and how often it got in."""
        out, _ = self.process.communicate()
        tried, got_in = map(int, out.split())
        return tried, got_in


def _interpreter(someone: list[str]) -> str:
    for python in (sys.executable, "/usr/bin/python3", "/usr/local/bin/python3"):
        with contextlib.suppress(OSError):
            if subprocess.run([*someone, python, "-c", ""], capture_output=True, check=False, cwd="/").returncode == 0:
                return python
    pytest.skip("another user may not run any Python here")


@pytest.fixture
def open_directory() -> Iterator[Path]:
    with short_directory(0o1777) as path:
        yield path


@pytest.mark.timeout(7200)
def test_a_stranger_never_gets_in_while_a_private_server_starts(open_directory: Path, full: bool) -> None:
    """2,000 starts if `OBSERVATORY_FULL=1`, else 15."""
    stranger = Stranger(f"{open_directory}/s")
    with umask(0):
        for number in range(2000 if full else 15):
            server = start(open_directory, "--mode", "0600")
            if number % 2:
                server.kill()  # the next one finds a dead socket
            else:
                server.end()
    tried, got_in = stranger.end()
    assert tried > 1000
    assert got_in == 0


@pytest.mark.timeout(1800)
def test_a_stranger_never_gets_in_while_a_private_socket_is_made(open_directory: Path, full: bool) -> None:
    """The same, of the making of the socket alone, which is much quicker: 20,000 times, or 1,000."""
    stranger = Stranger(f"{open_directory}/s")
    with umask(0):
        for _ in range(20_000 if full else 1000):
            listener = listen(Specification(f"{open_directory}/s", 0o600))
            listener.remove()
            listener.sock.close()
    tried, got_in = stranger.end()
    assert tried > 1000
    assert got_in == 0


def test_the_stranger_does_get_in_where_the_mode_is_set_too_late(open_directory: Path) -> None:
    """What these tests are worth: the usual order of calls is found out by them."""
    stranger = Stranger(f"{open_directory}/s")
    with umask(0), socket.socket(socket.AF_UNIX) as server:
        server.bind(f"{open_directory}/s")
        server.listen()
        server.settimeout(PATIENCE)
        server.accept()[0].close()  # a moment long enough for a try to fall into it, on a machine however busy
        os.chmod(f"{open_directory}/s", 0o600)
    tried, got_in = stranger.end()
    assert got_in > 0, f"{tried} times tried"


def test_what_an_ended_server_has_not_indexed_is_while_nothing_comes() -> None:
    with short_directory() as directory:
        store = open_store(ObservatoryServer(directory).database)
        peer = PeerCredentials(1, 0, 0, ())
        made = [
            compose(number, number, timestamp(number), "Stop", peer, take_apart(b"{}")) for number in range(1, 2001)
        ]
        store.append(made)
        assert store.unindexed == 2000
        store.close()
        server = start(directory)
        try:
            with contextlib.closing(sqlite3.connect(f"file:{server.database}?mode=ro", uri=True)) as connection:
                count = "SELECT count(*), min(stamp) FROM facet"
                until(lambda: connection.execute(count).fetchone()[0] == 2000, "all are indexed", pause=0.05)
                assert connection.execute(count).fetchone()[1] == timestamp(1)
        finally:
            server.end()
