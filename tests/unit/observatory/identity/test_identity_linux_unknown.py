"""On Linux, what could not be translated or was not answered is unknown, and never nobody."""

from __future__ import annotations

import errno
import struct
import sys
from typing import TYPE_CHECKING

import pytest

from observatory.identity import PeerCredentials, Unavailable, linux, peer_credentials, peer_label, peer_pidfd
from observatory.identity.credentials import UNKNOWN
from tests.helpers.answering_socket import answering, ucred

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator

if sys.platform != "linux":
    raise pytest.skip.Exception("the sockets of a Linux kernel", allow_module_level=True)


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
