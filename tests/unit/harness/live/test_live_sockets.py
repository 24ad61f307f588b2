from __future__ import annotations

import os
import socket
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harness.live.sockets import OpenSocket, abstract, behind, open_sockets, parse_table

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="sock_diag and /proc/net/unix are Linux's")


@pytest.fixture
def path() -> Iterator[str]:
    """A path that is short enough for an address."""
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="live-") as folder:
        yield f"{folder}/s"


def state(path: str) -> tuple[str, str]:
    found = behind(os.lstat(path))
    assert found.certain or found.state == "listening"
    return found.type, found.state if found.certain else "unknown"


def test_a_socket_that_accepts_is_listening(path: str) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        server.listen()
        assert state(path) == ("stream", "listening")


def test_a_socket_on_which_nobody_listens_is_bound(path: str) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as server:
        server.bind(path)
        assert state(path) == ("seqpacket", "bound")


def test_a_datagram_socket_takes_what_comes_without_listening(path: str) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
        server.bind(path)
        assert state(path) == ("dgram", "listening")


def test_a_socket_is_known_by_its_file_after_a_rename(path: str) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        server.listen()
        os.rename(path, path + "2")
        assert state(path + "2") == ("stream", "listening")


def test_another_file_under_the_old_name_is_not_the_socket(path: str) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        server.listen()
        os.unlink(path)
        with socket.socket(socket.AF_UNIX) as other:
            other.bind(path)
        assert state(path) in {("stream", "stale"), ("stream", "unknown")}


def test_a_listener_that_is_gone_has_left_a_stale_file_though_its_connections_live(path: str) -> None:
    server = socket.socket(socket.AF_UNIX)
    server.bind(path)
    server.listen()
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(path)
        peer, _ = server.accept()
        server.close()
        with peer:
            assert state(path) == ("stream", "stale")


def test_looking_opens_no_connection(path: str) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        server.listen()
        server.setblocking(False)
        behind(os.lstat(path))
        with pytest.raises(BlockingIOError):
            server.accept()


def test_an_abstract_name_is_found_while_somebody_holds_it() -> None:
    name = f"harness-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("\0" + name)
        server.listen()
        found = abstract(f"@{name}")
        assert found is not None
        assert (found.type, found.state) == ("stream", "listening")
    assert abstract(f"@{name}") is None


def test_many_sockets_come_in_many_messages(path: str) -> None:
    held = [socket.socket(socket.AF_UNIX) for _ in range(300)]
    try:
        for number, one in enumerate(held):
            one.bind(f"{path}-{number}")
        names = {one.name for one in open_sockets()}
        assert {f"{path}-{number}" for number in range(300)} <= names
    finally:
        for one in held:
            one.close()


def test_the_table_of_another_network_namespace_is_read_as_it_is_written() -> None:
    table = """Num       RefCount Protocol Flags    Type St Inode Path
0000000000000000: 00000002 00000000 00010000 0001 01 18721 /run/with blank.sock
0000000000000000: 00000003 00000000 00000000 0001 03 18722 /run/with blank.sock
0000000000000000: 00000002 00000000 00000000 0002 01 18723 @log
0000000000000000: 00000002 00000000 00000000 0005 01 18724 /run/bound
0000000000000000: 00000003 00000000 00000000 0001 03 18725
"""
    assert list(parse_table(table)) == [
        OpenSocket("stream", True, False, "/run/with blank.sock", None),
        OpenSocket("stream", False, True, "/run/with blank.sock", None),
        OpenSocket("dgram", False, False, "@log", None),
        OpenSocket("seqpacket", False, False, "/run/bound", None),
    ]


def test_this_machines_own_table_and_sock_diag_name_the_same_listener(path: str) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        server.listen()
        table = list(parse_table(Path("/proc/net/unix").read_text("utf-8", "surrogateescape")))
        assert OpenSocket("stream", True, False, path, None) in table
        (ours,) = [one for one in open_sockets() if one.name == path]
        assert (ours.type, ours.listens, ours.connected) == ("stream", True, False)
        assert ours.file is not None


@pytest.fixture
def no_sock_diag(monkeypatch: pytest.MonkeyPatch) -> None:
    """Debian has it as a module, which may not be there to load."""

    def without() -> None:
        raise FileNotFoundError

    monkeypatch.setattr("harness.live.sockets.open_sockets", without)


@pytest.mark.usefixtures("no_sock_diag")
def test_a_listener_is_seen_where_the_kernel_has_no_sock_diag(path: str) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        server.listen()
        assert state(path) == ("stream", "listening")
    assert state(path)[1] in {"stale", "unknown"}


@pytest.mark.usefixtures("no_sock_diag")
@pytest.mark.parametrize("how", ["by a relative name", "and moved"])
def test_without_it_one_that_was_bound_otherwise_leaves_a_doubt(
    path: str, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, _, name = path.rpartition("/")
    monkeypatch.chdir(folder)
    with socket.socket(socket.AF_UNIX) as server:
        if how == "and moved":
            server.bind(f"{path}-before")
            Path(f"{path}-before").rename(path)
        else:
            server.bind(name)
        server.listen()
        assert state(path) == ("stream", "unknown")
