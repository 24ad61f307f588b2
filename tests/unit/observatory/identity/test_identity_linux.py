"""Real Unix sockets on a real Linux kernel; and, for answers that this kernel does not give, a socket that does."""

from __future__ import annotations

import asyncio
import errno
import os
import platform
import select
import socket
import struct
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from observatory.identity import PeerCredentials, Unavailable, linux, peer_credentials, peer_label, peer_pidfd
from observatory.identity.credentials import KEPT_GROUPS, UNKNOWN
from tests.helpers.answering_socket import answering
from tests.helpers.descriptors import none_left_open
from tests.helpers.presence import present

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

if sys.platform != "linux":
    raise pytest.skip.Exception("the sockets of a Linux kernel", allow_module_level=True)

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become other users")
RELEASE = tuple(int(part) for part in platform.release().split("-")[0].split(".")[:2])
since_6_5 = pytest.mark.skipif(RELEASE < (6, 5), reason="SO_PEERPIDFD came with Linux 6.5")

PEER = """
import os, socket, sys
path, uid, gid, *groups = sys.argv[1:]
if uid != "-":
    first, count = (int(number) for number in groups)
    os.setgroups(range(first, first + count))
    os.setresgid(int(gid), int(gid), int(gid))
    os.setresuid(int(uid), int(uid), int(uid))
with socket.socket(socket.AF_UNIX) as sock:
    sock.connect(path)
    print("connected", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[socket.socket]:
    """A listening socket that everybody may connect to (by its abstract name: no directory is in the way)."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(f"\0{tmp_path}")
        sock.listen()
        yield sock


@contextmanager
def peer(listener: socket.socket, *arguments: object) -> Iterator[tuple[socket.socket, subprocess.Popen[bytes]]]:
    """A process of its own that connects and then waits; its end of the connection as the listener accepted it."""
    path = listener.getsockname().decode()
    command = [sys.executable, "-I", "-S", "-c", PEER.replace("sys.argv[1:]", f"[{path!r}, *sys.argv[1:]]")]
    command += [str(argument) for argument in arguments or ("-", "-")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"connected\n"
            accepted, _ = listener.accept()
            with accepted:
                yield accepted, process
        finally:
            process.communicate()


# What the kernel says of whom


def test_both_ends_of_a_socketpair_name_the_process_that_made_it() -> None:
    left, right = socket.socketpair()
    with left, right:
        me = PeerCredentials(os.getpid(), os.geteuid(), os.getegid(), tuple(sorted(os.getgroups())))

        assert peer_credentials(left) == me
        assert peer_credentials(right) == me


def test_a_datagram_socketpair_has_credentials_too() -> None:
    left, right = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with left, right:
        assert present(peer_credentials(left)).pid == os.getpid()


def test_the_accepting_side_sees_the_process_that_connected(listener: socket.socket) -> None:
    with peer(listener) as (accepted, process):
        assert present(peer_credentials(accepted)).pid == process.pid != os.getpid()


@as_root
@pytest.mark.parametrize("uid", [1, 1500, 65533, 65535, 2**31 - 1, 2**31, 2**32 - 2])
def test_ids_are_unsigned_and_the_users_own(listener: socket.socket, uid: int) -> None:
    with peer(listener, uid, uid, 7, 2) as (accepted, process):
        assert peer_credentials(accepted) == PeerCredentials(process.pid, uid, uid, (7, 8))


@as_root
@pytest.mark.parametrize("count", [0, 1, 32, 33, 256, 257, 1_000, 65_536])
def test_supplementary_groups_are_complete_however_many(listener: socket.socket, count: int) -> None:
    with peer(listener, 1500, 1500, 100_000, count) as (accepted, _):
        assert present(peer_credentials(accepted)).groups == tuple(range(100_000, 100_000 + count))


@as_root
@pytest.mark.parametrize("count", [0, 32, 33, 257, KEPT_GROUPS])
def test_a_server_keeps_equal_groups_once(listener: socket.socket, count: int) -> None:
    with (
        peer(listener, 1500, 1500, 100_000, count) as (first, _),
        peer(listener, 1600, 7, 100_000, count) as (other, _),
    ):
        kept = [present(linux.accepted_credentials(sock)) for sock in (first, other)]
    assert kept[0].groups == tuple(range(100_000, 100_000 + count))
    assert kept[0].groups is kept[1].groups
    assert [each.group_count for each in kept] == [None, None]


@as_root
@pytest.mark.parametrize("count", [KEPT_GROUPS + 1, 65_536])
def test_of_very_many_groups_a_server_keeps_the_number(listener: socket.socket, count: int) -> None:
    with peer(listener, 1500, 1500, 100_000, count) as (accepted, process):
        kept = linux.accepted_credentials(accepted)
    assert kept == PeerCredentials(process.pid, 1500, 1500, None, count)


@as_root
def test_more_groups_than_can_be_read_are_absent_and_not_cut(
    listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ctypes", None)
    with peer(listener, 1500, 1500, 100_000, 257) as (accepted, _):
        assert linux.peer_groups(accepted) is Unavailable.SHORT
        assert present(peer_credentials(accepted)).groups is None
        assert present(peer_credentials(accepted)).uid == 1500
        assert linux.accepted_credentials(accepted).groups is None


def test_the_connecting_side_sees_whoever_called_listen(listener: socket.socket) -> None:
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(listener.getsockname())

        assert present(peer_credentials(client)).pid == os.getpid()


def test_the_answer_outlives_the_peer(listener: socket.socket) -> None:
    with peer(listener) as (accepted, process):
        before = peer_credentials(accepted)
        process.communicate()

        assert peer_credentials(accepted) == before
        assert present(before).pid == process.pid


def test_a_wrapped_socket_is_a_unix_socket_all_the_same() -> None:
    async def through_asyncio() -> PeerCredentials | None:
        left, right = socket.socketpair()
        with right:
            _, writer = await asyncio.open_unix_connection(sock=left)
            seen = peer_credentials(writer.get_extra_info("socket"))
            writer.close()
            await writer.wait_closed()
            return seen

    seen = asyncio.run(through_asyncio())
    assert present(seen).pid == os.getpid()


# Where there is nobody


@pytest.mark.parametrize("type", [socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_SEQPACKET])
def test_of_an_unconnected_socket_nothing_is_known(type: socket.SocketKind) -> None:
    with socket.socket(socket.AF_UNIX, type) as sock:
        assert peer_credentials(sock) == UNKNOWN
        assert linux.peer_groups(sock) is Unavailable.PEER
        assert peer_pidfd(sock) is (Unavailable.PEER if RELEASE >= (6, 5) else Unavailable.OPTION)


def test_a_listening_socket_never_answers_with_the_listeners_own_ids(listener: socket.socket) -> None:
    """The kernel does: it keeps there what clients will be told. A server must not take itself for a client."""
    kernels = listener.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
    assert struct.unpack("=iII", kernels) == (os.getpid(), os.geteuid(), os.getegid())

    assert peer_credentials(listener) == UNKNOWN
    assert peer_pidfd(listener) is Unavailable.PEER


def test_a_tcp_connection_has_no_peer_credentials() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        accepted, _ = server.accept()
        with accepted:
            assert peer_credentials(accepted) is None
            assert peer_credentials(client) is None
            assert peer_pidfd(accepted) is Unavailable.PEER


def test_a_closed_socket_is_an_error_and_not_nobody() -> None:
    sock = socket.socket(socket.AF_UNIX)
    sock.close()
    for ask in (peer_credentials, peer_pidfd, peer_label, linux.peer_groups):
        with pytest.raises(OSError, match="Bad file descriptor"):
            ask(sock)


@as_root
def test_in_the_first_user_namespace_a_real_nobody_is_65534(listener: socket.socket) -> None:
    if not linux._translates_all("uid_map"):
        pytest.skip("this process is in a user namespace of its own, where nobody cannot be told from unknown")
    with peer(listener, 65534, 65534, 65534, 1) as (accepted, process):
        assert peer_credentials(accepted) == PeerCredentials(process.pid, 65534, 65534, (65534,))


# SO_PEERPIDFD


@since_6_5
def test_the_handle_becomes_readable_when_the_peer_ends(listener: socket.socket) -> None:
    with peer(listener) as (accepted, process):
        handle = peer_pidfd(accepted)
        assert isinstance(handle, int)
        try:
            assert not os.get_inheritable(handle)
            poll = select.poll()
            poll.register(handle, select.POLLIN)
            assert poll.poll(0) == []
            process.communicate()
            assert poll.poll(10_000)
        finally:
            os.close(handle)


@since_6_5
def test_of_a_reaped_peer_there_is_no_handle_and_none_is_left_open(listener: socket.socket) -> None:
    with peer(listener) as (accepted, process):
        process.communicate()
        with none_left_open():
            assert peer_pidfd(accepted) is Unavailable.REAPED


@since_6_5
def test_of_a_peer_that_is_dead_but_not_collected_there_is_a_handle(listener: socket.socket) -> None:
    with peer(listener) as (accepted, process):
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        handle = peer_pidfd(accepted)
        assert isinstance(handle, int)
        try:
            assert select.select([handle], [], [], 0)[0] == [handle]
        finally:
            os.close(handle)


# SO_PEERSEC


def test_a_label_is_text_without_its_terminator() -> None:
    assert peer_label(answering(SO_PEERSEC=b"unconfined\0")) == "unconfined"
    assert peer_label(answering(SO_PEERSEC=b"sys\xfftem_u:r\0")) == "sys\\xfftem_u:r"
    assert peer_label(answering(SO_PEERSEC=b"\0")) is Unavailable.PEER


def test_a_long_label_gets_a_longer_buffer() -> None:
    assert peer_label(answering(SO_PEERSEC=b"x" * 1000 + b"\0")) == "x" * 1000


def test_a_label_beyond_every_buffer_is_absent_and_not_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ctypes", None)

    assert peer_label(answering(SO_PEERSEC=b"x" * 2000)) is Unavailable.SHORT


def raw_label(sock: socket.socket) -> str | int:
    try:
        return sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERSEC, 1024).rstrip(b"\0").decode()
    except OSError as error:
        return error.errno or 0


def test_what_this_kernel_says_of_labels_is_passed_on() -> None:
    left, right = socket.socketpair()
    with left, right:
        raw = raw_label(left)

        assert peer_label(left) == (Unavailable.OPTION if raw == errno.ENOPROTOOPT else raw)


# The numbers


@pytest.mark.parametrize(
    ("machine", "credentials", "level"),
    [
        ("x86_64", 17, 1),
        ("aarch64", 17, 1),
        ("riscv64", 17, 1),
        ("s390x", 17, 1),
        ("a machine of the future", 17, 1),
        ("ppc64le", 21, 1),
        ("mips64", 18, 0xFFFF),
        ("alpha", 18, 0xFFFF),
        ("sparc64", 0x40, 0xFFFF),
        ("parisc", 0x4011, 0xFFFF),
    ],
)
def test_so_peercred_has_its_own_number_on_some_architectures(machine: str, credentials: int, level: int) -> None:
    assert linux.number("SO_PEERCRED", machine) == credentials
    assert linux.number("SOL_SOCKET", machine) == level


def test_the_tables_agree_with_this_interpreters_own_numbers() -> None:
    names = ["SOL_SOCKET", "SO_ACCEPTCONN", "SO_PEERCRED", "SO_PEERSEC"]
    machine = os.uname().machine

    assert {name: linux.number(name, machine) for name in names} == {name: getattr(socket, name) for name in names}


def test_no_question_leaves_a_descriptor_open(listener: socket.socket) -> None:
    with peer(listener) as (accepted, _):
        peer_credentials(accepted)
        with none_left_open():
            for ask in (peer_credentials, peer_label, linux.peer_groups):
                ask(accepted)
