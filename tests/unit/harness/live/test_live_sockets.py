from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harness.inside.sock_diag import TCP_LISTEN
from harness.live.bound_file import is_bound
from harness.live.components import look
from harness.live.mounts import read_mounts
from harness.live.network_namespace import open_namespace, other_namespaces, unix_sockets
from harness.live.sockets import FoundSocket, SocketsUnknownError, abstract, behind, socket_file

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.inside.sock_diag import UnixSocket
    from harness.live.components import Component

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="sock_diag is Linux's")


ROOT = Path(__file__).parents[4]


@pytest.fixture
def path() -> Iterator[str]:
    """A path that is short enough for an address."""
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="live-") as folder:
        yield f"{folder}/s"


def found_behind(path: str, found: Component | None = None) -> FoundSocket:
    component = found or look(path).components[-1]
    return behind(socket_file(component, read_mounts()), path, partial(is_bound, component, "/"))


def state(path: str) -> tuple[str, str]:
    try:
        found = found_behind(path)
    except SocketsUnknownError:
        return "stream", "unknown"
    return found.type, found.state


def kinds(found: tuple[FoundSocket, ...]) -> list[tuple[str, str]]:
    return [(one.type, one.state) for one in found]


def open_sockets() -> tuple[UnixSocket, ...]:
    namespace = open_namespace("self")
    try:
        return unix_sockets(namespace, time.monotonic() + 10)
    finally:
        os.close(namespace)


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


def test_another_file_under_the_old_name_is_not_the_socket(path: str) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        server.listen()
        os.unlink(path)
        with socket.socket(socket.AF_UNIX) as other:
            other.bind(path)
        assert state(path) == ("stream", "stale")


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


TYPES = pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_SEQPACKET, socket.SOCK_DGRAM])


@TYPES
def test_a_server_sees_nothing_of_whoever_looks_and_asks_whether_it_is_bound(
    path: str, kind: socket.SocketKind
) -> None:
    with socket.socket(socket.AF_UNIX, kind) as server:
        server.bind(path)
        if kind != socket.SOCK_DGRAM:
            server.listen()
        server.setblocking(False)
        found_behind(path)
        assert is_bound(look(path).components[-1], "/") is True
        with pytest.raises(BlockingIOError):
            server.recv(1) if kind == socket.SOCK_DGRAM else server.accept()


@TYPES
def test_no_socket_is_bound_to_a_file_once_its_socket_is_closed(path: str, kind: socket.SocketKind) -> None:
    with socket.socket(socket.AF_UNIX, kind) as server:
        server.bind(path)
    assert is_bound(look(path).components[-1], "/") is False


def test_whether_a_socket_is_bound_is_told_of_the_file_that_was_looked_at_alone(path: str) -> None:
    with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as other:
        server.bind(path)
        before = look(path).components[-1]
        Path(path).rename(f"{path}-away")
        other.bind(path)
        assert is_bound(before, "/") is None
        Path(path).unlink()
        assert is_bound(before, "/") is None


def test_a_socket_that_is_bound_where_nobody_may_ask_is_not_known(path: str) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
    file = socket_file(look(path).components[-1], read_mounts())
    with pytest.raises(SocketsUnknownError, match="a socket is bound to it, but in the network namespaces"):
        behind(file, path, lambda: True)
    with pytest.raises(SocketsUnknownError, match="does not tell this process whether"):
        behind(file, path, lambda: None)


def test_a_client_that_is_bound_to_a_file_takes_no_connection(path: str) -> None:
    """Its socket looks as an accepted one does, whose listener may be in another network namespace."""
    with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as client:
        server.bind(path)
        server.listen()
        client.bind(f"{path}-client")
        client.connect(path)
        assert state(f"{path}-client") == ("stream", "unknown")


def test_an_abstract_name_is_found_while_somebody_holds_it() -> None:
    name = f"harness-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("\0" + name)
        server.listen()
        assert kinds(abstract(f"@{name}")) == [("stream", "listening")]
        assert abstract(f"@{name}\0") == abstract(f"@{name[:-1]}") == ()
    assert abstract(f"@{name}") == ()


def test_sockets_of_several_types_have_one_abstract_name_each() -> None:
    name = f"harness-types-{os.getpid()}"
    with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as log:
        log.bind("\0" + name)
        server.bind("\0" + name)
        assert kinds(abstract(f"@{name}")) == [("stream", "bound"), ("dgram", "listening")]


def test_many_sockets_come_in_many_messages(path: str) -> None:
    held = [socket.socket(socket.AF_UNIX) for _ in range(300)]
    try:
        for number, one in enumerate(held):
            one.bind(f"{path}-{number}")
        names = {one.name for one in open_sockets()}
        assert {f"{path}-{number}\0".encode() for number in range(300)} <= names
    finally:
        for one in held:
            one.close()


def test_a_listener_is_told_with_its_queue(path: str) -> None:
    with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as client:
        server.bind(path)
        server.listen(7)
        client.connect(path)
        (ours,) = [one for one in open_sockets() if one.name == f"{path}\0".encode() and one.state == TCP_LISTEN]
        assert (ours.type, ours.waiting, ours.room) == (socket.SOCK_STREAM, 1, 7)


@pytest.mark.parametrize("how", ["by a relative name", "and moved", "and linked"])
def test_a_listener_is_found_whatever_name_it_was_bound_by(
    path: str, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, _, name = path.rpartition("/")
    monkeypatch.chdir(folder)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(name if how == "by a relative name" else f"{path}-before")
        if how == "and moved":
            Path(f"{path}-before").rename(path)
        elif how == "and linked":
            Path(path).hardlink_to(f"{path}-before")
            Path(f"{path}-before").unlink()
        server.listen()
        assert state(path) == ("stream", "listening")


@pytest.mark.parametrize("error", [FileNotFoundError(2, "No such file or directory"), PermissionError(1, "Not so")])
def test_where_the_kernel_does_not_say_nothing_is_known_of_a_socket(
    path: str, error: OSError, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Debian has unix_diag as a module, which may not be there to load."""

    def without(*_: object) -> None:
        raise error

    monkeypatch.setattr("harness.live.network_namespace._open_socket", without)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        server.listen()
        with pytest.raises(SocketsUnknownError, match=f"this network namespace are not known: {error.strerror}"):
            found_behind(path)
        with pytest.raises(SocketsUnknownError):
            abstract("@x")
    assert state(path) == ("stream", "stale")


def test_numbers_that_several_files_may_have_are_believed_only_with_the_name(path: str) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        server.listen()
        component = look(path).components[-1]
        file = replace(socket_file(component, read_mounts()), unique=False)
        bound = partial(is_bound, component, "/")
        assert behind(file, path, bound).state == "listening"
        with pytest.raises(SocketsUnknownError, match="may give the numbers of this file to another one"):
            behind(file, f"{path}-another", bound)
        assert behind(file, f"{path}-another", lambda: False).state == "stale"


def test_a_kernel_that_does_not_tell_its_numbers_tells_that_a_file_is_left_behind(path: str) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
    assert found_behind(path, replace(look(path).components[-1], inode=None)).state == "stale"


OVER_TWO_FILE_SYSTEMS = """
import os, socket, subprocess, sys
top = sys.argv[2]
sys.path.insert(0, sys.argv[1])
def mount(*words): subprocess.run(["mount", *words], check=True)
mount("-t", "tmpfs", "t", top)
os.chdir(top)
for name in ("lower", "other", "o"): os.mkdir(name)
mount("-t", "tmpfs", "t", "other")
for name in ("other/upper", "other/work"): os.mkdir(name)
mount("-t", "overlay", "o", "-olowerdir=lower,upperdir=other/upper,workdir=other/work", "o")
for name in ("live", "dead"):
    server = socket.socket(socket.AF_UNIX)
    server.bind(os.path.abspath(f"o/{name}"))
    server.listen()
    if name == "live":
        held = server
from harness.live.bound_file import is_bound
from harness.live.components import look
from harness.live.mounts import device_of, read_mounts
from harness.live.sockets import behind, socket_file
server.close()
live, dead = (look(f"{top}/o/{name}").components[-1] for name in ("live", "dead"))
file = socket_file(live, read_mounts())
assert file.device != device_of(os.lstat("o/live"))
print(behind(file, live.path, lambda: None).state, file.unique, is_bound(live, "/"), is_bound(dead, "/"))
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts an overlay of two file systems")
def test_a_listener_is_found_where_stat_shows_other_numbers_than_the_kernel_has() -> None:
    """As overlayfs does over two file systems, and btrfs in its subvolumes: another file may have the same there."""
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="live-") as folder:
        done = subprocess.run(
            ["unshare", "--mount", sys.executable, "-c", OVER_TWO_FILE_SYSTEMS, str(ROOT), folder],
            capture_output=True,
            text=True,
            check=False,
        )
    if "overlay" in done.stderr and "mount" in done.stderr:
        pytest.skip(f"this machine mounts no overlay: {done.stderr.splitlines()[-1]}")
    assert (done.returncode, done.stdout) == (0, "listening False True False\n"), done.stderr


def test_a_namespace_that_was_unmounted_meanwhile_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    below = tmp_path / "namespace"
    below.touch()
    gone = replace(read_mounts()[0], path=str(below), filesystem="nsfs")
    monkeypatch.setattr("harness.live.network_namespace.read_mounts", lambda: (*read_mounts(), gone))
    assert str(below) not in {os.readlink(f"/proc/self/fd/{namespace}") for namespace in other_namespaces()}
