"""Started by a service manager: its sockets, and what it is told."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.helpers.deadline import PATIENCE
from tests.helpers.observatory_command import command, environment
from tests.helpers.observatory_server import ObservatoryServer, start, stored
from tests.helpers.unix_http import connected, post, read_answer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

systemd = pytest.mark.skipif(sys.platform != "linux", reason="systemd is Linux's")

UNITS = Path(__file__).parents[2] / "contrib" / "systemd"


# What a service manager does between fork and exec.
_PASS = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1")
os.execvp(sys.argv[2], sys.argv[2:])
"""


def managed(directory: Path, sock: socket.socket, *arguments: str) -> ObservatoryServer:
    """A server with this socket as its descriptor 3, as sd_listen_fds(3) has it."""
    descriptor = sock.fileno()
    prefix = [sys.executable, "-c", _PASS, str(descriptor)]
    return start(directory, *arguments, prefix=prefix, pass_fds=[descriptor])


@pytest.fixture
def passed(directory: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(f"{directory}/passed")
        (directory / "passed").chmod(0o622)
        sock.listen()
        yield sock


def test_a_passed_socket_is_served_with_the_mode_that_it_has_and_stays_at_the_end(
    directory: Path, passed: socket.socket
) -> None:
    server = managed(directory, passed)
    assert server.log[0].startswith(f"listening on {directory}/passed mode 0622 owner {os.geteuid()} ")
    assert not (directory / "s").exists()
    with connected(f"{directory}/passed") as sock:
        sock.sendall(post())
        assert read_answer(sock)[0] == 200
    assert server.end() == 0
    assert (directory / "passed").is_socket()


def test_who_connects_between_two_servers_is_served_by_the_next(directory: Path, passed: socket.socket) -> None:
    server = managed(directory, passed)
    assert server.end() == 0
    with connected(f"{directory}/passed") as sock:
        sock.sendall(post(b'{"between":1}'))
        server = managed(directory, passed)
        assert read_answer(sock) == (200, b"")
    assert server.end() == 0
    assert stored(server.database)[0]["between"] == 1


@systemd
def test_systemd_s_own_activator_starts_it_with_the_first_connection(
    directory: Path, need: Callable[[str, str], str]
) -> None:
    activate = need("systemd-socket-activate", "systemd")
    database = f"{directory}/db"
    process = subprocess.Popen(
        [activate, "-l", f"{directory}/s", *command("serve", "--database", database)],
        env=environment(directory),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    with process:
        assert process.stderr is not None
        while b"Listening on" not in process.stderr.readline():
            pass
        with connected(f"{directory}/s") as sock:
            sock.sendall(post(b'{"first":1}'))
            assert read_answer(sock) == (200, b"")
        process.terminate()
        process.stderr.read()
        assert process.wait() == 0
    assert (directory / "s").is_socket()
    assert stored(database)[0]["first"] == 1


def test_the_manager_is_told_when_it_listens_and_when_it_ends(directory: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(f"{directory}/notify")
        manager.settimeout(PATIENCE)
        server = ObservatoryServer(directory, variables={"NOTIFY_SOCKET": f"{directory}/notify"})
        server.launch()
        assert manager.recv(100) == b"READY=1"
        with connected(server.path) as sock:
            sock.sendall(post())
            assert read_answer(sock)[0] == 200
        server.wait_until_listening()
        server.end()
        assert manager.recv(100) == b"STOPPING=1"


def units() -> list[Path]:
    return sorted(UNITS.glob("*/*.s*"))


def test_there_is_a_socket_and_a_service_for_the_system_and_for_a_user() -> None:
    assert [str(unit.relative_to(UNITS)) for unit in units()] == [
        "system/claude-observatory.service",
        "system/claude-observatory.socket",
        "user/claude-observatory.service",
        "user/claude-observatory.socket",
    ]


@systemd
@pytest.mark.parametrize("where", ["system", "user"])
def test_the_units_are_ones_that_systemd_understands(
    where: str, tmp_path: Path, need: Callable[[str, str], str]
) -> None:
    analyze = need("systemd-analyze", "systemd")
    for unit in (UNITS / where).iterdir():
        text = unit.read_text().replace("ExecStart=observatory", f"ExecStart={shutil.which('true')}")
        (tmp_path / unit.name).write_text(text)
    user = ["--user"] if where == "user" else []
    done = subprocess.run(
        [analyze, "verify", "--man=no", *user, *map(str, sorted(tmp_path.iterdir()))],
        capture_output=True,
        text=True,
        env={**os.environ, "XDG_RUNTIME_DIR": str(tmp_path), "SYSTEMD_LOG_LEVEL": "warning"},
        check=False,
    )
    mine = [line for line in done.stderr.splitlines() if "claude-observatory" in line]
    assert mine == []
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("unit", [unit for unit in units() if unit.suffix == ".service"], ids=lambda u: u.parent.name)
def test_what_a_unit_starts_is_a_command_line_that_is_understood(unit: Path) -> None:
    (line,) = re.findall("^ExecStart=observatory (.*)$", unit.read_text(), re.MULTILINE)
    check = "import sys; from observatory.cli.main import parser; parser().parse_args(sys.argv[1:])"
    subprocess.run([sys.executable, "-c", check, *line.split()], check=True)
