"""Sockets that a service manager passes, and telling it how far we are; by real processes and real descriptors."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from observatory.listening.systemd import notify
from tests.helpers.deadline import PATIENCE
from tests.helpers.directories import short_directory

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# Puts descriptors at 3, 4, ... and its own pid into the environment, as the manager does between fork and exec; then
# says what was found, and whether the environment still speaks of it.
_CHILD = """
import json, os, sys
from observatory.errors import ObservatoryError
from observatory.listening.systemd import passed_listeners
names, pid = sys.argv[1], sys.argv[2]
descriptors = [os.dup(int(number)) for number in sys.argv[3:]]
for place, descriptor in enumerate(descriptors):
    os.dup2(descriptor, 3 + place)
environment = {"LISTEN_FDS": str(len(descriptors)), "LISTEN_PID": pid or str(os.getpid()), "LISTEN_FDNAMES": names}
try:
    found = passed_listeners(environment)
except ObservatoryError as error:
    print(json.dumps(str(error)))
else:
    for listener in found.values():
        listener.remove()
        assert not listener.sock.get_inheritable()
        assert listener.sock.gettimeout() == 0
    print(json.dumps([{name: [each.path, each.mode] for name, each in found.items()}, environment]))
"""


@pytest.fixture
def directory() -> Iterator[Path]:
    with short_directory() as path:
        yield path


def passed(*socks: socket.socket, names: str = "", pid: str = "") -> object:
    import json

    descriptors = [sock.fileno() for sock in socks]
    child = subprocess.run(
        [sys.executable, "-c", _CHILD, names, pid, *map(str, descriptors)],
        pass_fds=descriptors,
        capture_output=True,
        text=True,
        check=False,
    )
    assert child.returncode == 0, child.stderr
    return json.loads(child.stdout)


def listening(path: Path, mode: int = 0o660) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX)
    sock.bind(str(path))
    path.chmod(mode)
    sock.listen()
    return sock


def test_a_passed_socket_is_used_and_its_file_left_to_its_maker(directory: Path) -> None:
    with listening(directory / "s", 0o620) as sock:
        assert passed(sock) == [{"main": [str(directory / "s"), 0o620]}, {}]
    assert stat.S_ISSOCK(os.lstat(directory / "s").st_mode)


def test_the_output_socket_is_known_by_its_name(directory: Path) -> None:
    with listening(directory / "a") as a, listening(directory / "b") as b:
        found = passed(a, b, names="output:observatory.socket")
        assert found == [{"output": [str(directory / "a"), 0o660], "main": [str(directory / "b"), 0o660]}, {}]


def test_what_is_meant_for_another_process_is_not_taken(directory: Path) -> None:
    with listening(directory / "a") as sock:
        assert passed(sock, pid="1") == [{}, {}]


def test_more_than_can_be_served_is_refused(directory: Path) -> None:
    with listening(directory / "a") as a, listening(directory / "b") as b:
        assert "more than one main socket" in str(passed(a, b))


def test_what_is_no_listening_unix_stream_socket_is_refused(directory: Path) -> None:
    with (
        socket.socket(socket.AF_UNIX) as unbound,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as datagrams,
        socket.create_server(("127.0.0.1", 0)) as internet,
        socket.socket(socket.AF_UNIX) as abstract,
    ):
        datagrams.bind(str(directory / "d"))
        abstract.bind("\0observatory-test-" + directory.name) if sys.platform == "linux" else None
        abstract.listen() if sys.platform == "linux" else None
        for sock in (unbound, datagrams, internet, abstract):
            assert "not a listening Unix stream socket with a path" in str(passed(sock))


def test_a_descriptor_that_is_no_socket_is_refused() -> None:
    with open(os.devnull, "rb") as file:  # noqa: PTH123 - a descriptor is all that's wanted
        assert "is not a socket" in str(passed(file))  # type: ignore[arg-type]


@pytest.mark.parametrize("abstract", [False, True])
def test_the_manager_is_told(directory: Path, abstract: bool) -> None:
    if abstract and sys.platform != "linux":
        pytest.skip("abstract sockets are Linux's")
    name = f"@observatory-test-{directory.name}" if abstract else str(directory / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(name.replace("@", "\0") if abstract else name)
        manager.settimeout(PATIENCE)
        notify("READY=1", {"NOTIFY_SOCKET": name})
        assert manager.recv(100) == b"READY=1"


@pytest.mark.parametrize("address", ["", "relative", "/nowhere/notify", "@nobody-is-there"])
def test_where_there_is_no_manager_nobody_is_told(address: str) -> None:
    notify("READY=1", {"NOTIFY_SOCKET": address} if address else {})
