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
from typing import TYPE_CHECKING, cast

import pytest

from observatory.identity import PeerCredentials, Unavailable, linux, peer_credentials, peer_label, peer_pidfd
from observatory.identity.credentials import UNKNOWN
from tests.helpers.presence import present

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
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


class Answering:
    """A connected Unix socket (as far as it says) that answers each option with bytes, a number or an errno."""

    family = socket.AF_UNIX

    def __init__(self, answers: Mapping[str, bytes | int]) -> None:
        self._answers = {getattr(linux, option): answer for option, answer in answers.items()}
        self._answers.setdefault(linux.SO_ACCEPTCONN, b"")

    def getsockopt(self, level: int, option: int, room: int = 0) -> bytes:
        assert level == linux.SOL_SOCKET
        answer = self._answers.get(option, errno.ENOPROTOOPT)
        if isinstance(answer, bytes):
            if len(answer) > room > 0:
                raise OSError(errno.ERANGE, "too little room")
            return answer
        raise OSError(answer, os.strerror(answer))


def answering(**answers: bytes | int) -> socket.socket:
    """Such a socket, by the names of the options; all that is asked of it is `family` and `getsockopt`."""
    return cast("socket.socket", Answering(answers))


def ucred(pid: int, uid: int, gid: int) -> bytes:
    return struct.pack("=iII", pid, uid, gid)


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
def test_more_groups_than_can_be_read_are_absent_and_not_cut(
    listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ctypes", None)
    with peer(listener, 1500, 1500, 100_000, 257) as (accepted, _):
        assert linux.peer_groups(accepted) is Unavailable.SHORT
        assert present(peer_credentials(accepted)).groups is None
        assert present(peer_credentials(accepted)).uid == 1500


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

    assert present(asyncio.run(through_asyncio())).pid == os.getpid()


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


# Unknown is not nobody


def test_a_pid_outside_this_pid_namespace_is_unknown() -> None:
    assert peer_credentials(answering(SO_PEERCRED=ucred(0, 1500, 1500), SO_PEERGROUPS=b"")) == PeerCredentials(
        None, 1500, 1500, ()
    )


@pytest.fixture
def mapped(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Choose what /proc says of this process's user namespace."""

    def choose(*lines: str, overflow: str = "65534\n") -> None:
        files = {
            "self/uid_map": "".join(f"{line}\n" for line in lines),
            "self/gid_map": "".join(f"{line}\n" for line in lines),
            "sys/kernel/overflowuid": overflow,
            "sys/kernel/overflowgid": overflow,
        }
        monkeypatch.setattr(linux, "_proc", files.__getitem__)
        linux._overflow_ids.cache_clear()

    yield choose
    linux._overflow_ids.cache_clear()


NOBODY = {"SO_PEERCRED": ucred(9, 65534, 65534), "SO_PEERGROUPS": struct.pack("=2I", 5, 65534)}


@pytest.mark.parametrize(
    "lines",
    [
        ["         0       1000          1"],
        ["         0     100000      65536"],  # has a number 65534 of its own: still ambiguous
        ["         0          0 4294967294"],
        [],  # nothing mapped yet, or /proc unreadable
    ],
)
def test_where_ids_can_be_untranslatable_the_overflow_id_is_unknown(
    mapped: Callable[..., None], lines: list[str]
) -> None:
    mapped(*lines)

    assert peer_credentials(answering(**NOBODY)) == PeerCredentials(9, None, None, None)


def test_where_every_id_translates_65534_is_the_user_of_that_number(mapped: Callable[..., None]) -> None:
    mapped("         0          0 4294967295")

    assert peer_credentials(answering(**NOBODY)) == PeerCredentials(9, 65534, 65534, (5, 65534))


def test_an_overflow_id_that_the_administrator_chose_is_the_one_that_is_unknown(mapped: Callable[..., None]) -> None:
    mapped("         0       1000          1", overflow="4242\n")

    assert peer_credentials(answering(**NOBODY)) == PeerCredentials(9, 65534, 65534, (5, 65534))
    chosen = answering(SO_PEERCRED=ucred(9, 4242, 4242), SO_PEERGROUPS=b"")
    assert peer_credentials(chosen) == PeerCredentials(9, None, None, ())


def test_without_proc_the_overflow_id_is_the_kernels_default_and_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(path: str) -> str:
        raise FileNotFoundError(path)

    monkeypatch.setattr(linux, "_proc", absent)
    linux._overflow_ids.cache_clear()
    try:
        assert peer_credentials(answering(**NOBODY)) == PeerCredentials(9, None, None, None)
    finally:
        linux._overflow_ids.cache_clear()


@as_root
def test_in_the_first_user_namespace_a_real_nobody_is_65534(listener: socket.socket) -> None:
    if not linux._translates_all("uid_map"):
        pytest.skip("this process is in a user namespace of its own, where nobody cannot be told from unknown")
    with peer(listener, 65534, 65534, 65534, 1) as (accepted, process):
        assert peer_credentials(accepted) == PeerCredentials(process.pid, 65534, 65534, (65534,))


# Options that are missing, wrong or refuse


@pytest.mark.parametrize("short", [b"", b"\x01\x00\x00\x00", bytes(11)])
def test_an_answer_of_another_size_is_no_credentials(short: bytes) -> None:
    """What the hard-coded 17 does on powerpc: that is SO_SNDLOWAT there, 4 bytes, and no error."""
    assert peer_credentials(answering(SO_PEERCRED=short)) == UNKNOWN


@pytest.mark.parametrize("error", [errno.ENOPROTOOPT, errno.EOPNOTSUPP, errno.ENOSYS])
def test_a_kernel_without_the_options_knows_nothing(error: int) -> None:
    assert peer_credentials(answering(SO_PEERCRED=error)) == UNKNOWN
    without_groups = answering(SO_PEERCRED=ucred(1, 2, 3), SO_PEERGROUPS=error)
    assert peer_credentials(without_groups) == PeerCredentials(1, 2, 3, None)
    assert linux.peer_groups(without_groups) is Unavailable.OPTION
    assert peer_pidfd(answering(SO_PEERPIDFD=error)) is Unavailable.OPTION
    assert peer_label(answering(SO_PEERSEC=error)) is Unavailable.OPTION


def test_groups_that_are_not_whole_numbers_are_absent() -> None:
    assert linux.peer_groups(answering(SO_PEERGROUPS=bytes(6))) is Unavailable.SHORT


@pytest.mark.parametrize("error", [errno.EINVAL, errno.ESRCH])
def test_a_kernel_that_refuses_a_reaped_peer_is_understood(error: int) -> None:
    assert peer_pidfd(answering(SO_PEERPIDFD=error)) is Unavailable.REAPED


@pytest.mark.parametrize("ask", [peer_credentials, linux.peer_groups, peer_pidfd, peer_label])
def test_an_error_that_means_something_else_is_raised(ask: Callable[[socket.socket], object]) -> None:
    every = dict.fromkeys(["SO_PEERCRED", "SO_PEERGROUPS", "SO_PEERPIDFD", "SO_PEERSEC"], errno.EMFILE)
    with pytest.raises(OSError, match="Too many open files"):
        ask(answering(**every))


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
        before = os.listdir("/proc/self/fd")

        assert peer_pidfd(accepted) is Unavailable.REAPED
        assert os.listdir("/proc/self/fd") == before


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
        before = os.listdir("/proc/self/fd")
        for ask in (peer_credentials, peer_label, linux.peer_groups):
            ask(accepted)

        assert os.listdir("/proc/self/fd") == before
