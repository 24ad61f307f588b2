"""Linux: SO_PEERCRED, SO_PEERGROUPS, SO_PEERPIDFD and SO_PEERSEC, one function each with its outcomes named.

Source: unix(7), socket(7), net/core/sock.c (`sk_getsockopt`), net/unix/af_unix.c (`init_peercred`,
`copy_peercred`).
"""

from __future__ import annotations

import errno
import functools
import os
import select
import socket
import struct
import sys
from typing import TYPE_CHECKING

from observatory.identity.credentials import KEPT_GROUPS, NO_ID, UNKNOWN, PeerCredentials, Unavailable
from observatory.identity.layouts import LINUX_UCRED
from observatory.identity.sockets import is_unix

if TYPE_CHECKING:
    import ctypes
    from collections.abc import Callable, Mapping

GENERIC: Mapping[str, int] = {
    "SOL_SOCKET": 1,
    "SO_ACCEPTCONN": 30,
    "SO_PEERCRED": 17,
    "SO_PEERGROUPS": 59,
    "SO_PEERPIDFD": 77,
    "SO_PEERSEC": 31,
}
"""include/uapi/asm-generic/socket.h: every architecture that is not in `EXCEPTIONS`, and every future one."""

_MIPS = {"SOL_SOCKET": 0xFFFF, "SO_ACCEPTCONN": 0x1009, "SO_PEERCRED": 18, "SO_PEERSEC": 30}
_ALPHA = {"SOL_SOCKET": 0xFFFF, "SO_ACCEPTCONN": 0x1014, "SO_PEERCRED": 18, "SO_PEERSEC": 30}
_PARISC = {
    "SOL_SOCKET": 0xFFFF,
    "SO_ACCEPTCONN": 0x401C,
    "SO_PEERCRED": 0x4011,
    "SO_PEERGROUPS": 0x4034,
    "SO_PEERPIDFD": 0x404B,
    "SO_PEERSEC": 0x401D,
}
_SPARC = {
    "SOL_SOCKET": 0xFFFF,
    "SO_ACCEPTCONN": 0x8000,
    "SO_PEERCRED": 0x0040,
    "SO_PEERGROUPS": 0x003D,
    "SO_PEERPIDFD": 0x0056,
    "SO_PEERSEC": 0x001E,
}
_POWERPC = {"SO_PEERCRED": 21}

EXCEPTIONS: Mapping[str, Mapping[str, int]] = {
    "alpha": _ALPHA,
    "mips": _MIPS,
    "mips64": _MIPS,
    "parisc": _PARISC,
    "parisc64": _PARISC,
    "ppc": _POWERPC,
    "ppc64": _POWERPC,
    "ppc64le": _POWERPC,
    "sparc": _SPARC,
    "sparc64": _SPARC,
}
"""arch/*/include/uapi/asm/socket.h, by uname(2)'s machine: only what differs from the generic header."""

DEFAULT_OVERFLOW_ID = 65534
"""include/linux/highuid.h: DEFAULT_OVERFLOWUID and DEFAULT_OVERFLOWGID."""


def number(name: str, machine: str) -> int:
    """A socket option's number on one architecture, by the tables alone. Raises KeyError for another name."""
    return EXCEPTIONS.get(machine, {}).get(name, GENERIC[name])


if sys.platform != "win32" and hasattr(os, "uname"):
    _MACHINE = os.uname().machine
else:
    _MACHINE = ""

SOL_SOCKET: int = getattr(socket, "SOL_SOCKET", number("SOL_SOCKET", _MACHINE))
SO_ACCEPTCONN: int = getattr(socket, "SO_ACCEPTCONN", number("SO_ACCEPTCONN", _MACHINE))
SO_PEERCRED: int = getattr(socket, "SO_PEERCRED", number("SO_PEERCRED", _MACHINE))
SO_PEERGROUPS: int = getattr(socket, "SO_PEERGROUPS", number("SO_PEERGROUPS", _MACHINE))
SO_PEERPIDFD: int = getattr(socket, "SO_PEERPIDFD", number("SO_PEERPIDFD", _MACHINE))
SO_PEERSEC: int = getattr(socket, "SO_PEERSEC", number("SO_PEERSEC", _MACHINE))

_LONGEST = 1024
"""The longest buffer that CPython's own getsockopt takes, in bytes."""

_UCRED = LINUX_UCRED.compiled(sys.byteorder)

_OUTCOMES = {
    getattr(errno, name): outcome
    for name, outcome in {
        "ENOPROTOOPT": Unavailable.OPTION,
        "EOPNOTSUPP": Unavailable.OPTION,
        "ENOSYS": Unavailable.OPTION,
        "ENODATA": Unavailable.PEER,
        "ENOTCONN": Unavailable.PEER,
        "ERANGE": Unavailable.SHORT,
    }.items()
    if hasattr(errno, name)  # WASI and OpenBSD know no ENODATA, and this module can be imported there too
}


def peer_credentials(sock: socket.socket) -> PeerCredentials | None:
    """Who opened the connection; `None` for a socket that is not a Unix socket. See `PeerCredentials`."""
    if not is_unix(sock):
        return None
    # A listening socket has no peer, and SO_PEERCRED there is whoever called listen(): for a server, itself.
    if sock.getsockopt(SOL_SOCKET, SO_ACCEPTCONN):
        return UNKNOWN
    return _credentials(sock, peer_groups)


def accepted_credentials(sock: socket.socket) -> PeerCredentials:
    """Who opened a connection that accept() has given of a Unix socket: that it is one is not asked of the kernel.

    For a server that keeps these for as long as a connection: of more than `KEPT_GROUPS` groups only the number.
    """
    # What nearly all are, straight on: no more than 32 groups, and every id has a number here.
    try:
        pid, uid, gid = _UCRED.unpack(sock.getsockopt(SOL_SOCKET, SO_PEERCRED, LINUX_UCRED.size))
        groups = _shared_group_numbers(sock.getsockopt(SOL_SOCKET, SO_PEERGROUPS, 128))
    except (OSError, struct.error):
        return _credentials(sock, _kept_groups)
    overflow_uid, overflow_gid = _overflow_ids()
    if isinstance(groups, Unavailable) or overflow_gid in groups or gid == overflow_gid or uid in (overflow_uid, NO_ID):
        return _credentials(sock, _kept_groups)
    return PeerCredentials(pid or None, uid, gid, groups)


def accepted_uid(sock: socket.socket) -> int | None:
    """The effective uid of `accepted_credentials` alone, for half the time."""
    data = _answer(sock, SO_PEERCRED, LINUX_UCRED.size)
    uid = None if isinstance(data, Unavailable) else _uid_in(data)
    return known_uid(uid) if uid is not None and uid == _overflow_ids()[0] else uid


@functools.lru_cache(maxsize=64)
def _uid_in(data: bytes) -> int | None:
    """The uid in an answer, kept: most of those who come at once are a few processes, whose answers are equal."""
    if len(data) != LINUX_UCRED.size:
        return None
    uid: int = _UCRED.unpack(data)[1]
    return None if uid == NO_ID else uid


def _credentials(
    sock: socket.socket, groups_of: Callable[[socket.socket], tuple[int, ...] | int | Unavailable]
) -> PeerCredentials:
    data = _answer(sock, SO_PEERCRED, LINUX_UCRED.size)
    if isinstance(data, Unavailable) or len(data) != LINUX_UCRED.size:
        return UNKNOWN
    pid, uid, gid = _UCRED.unpack(data)
    if uid == NO_ID:
        return UNKNOWN
    groups = groups_of(sock)
    overflow_gid = _overflow_ids()[1]
    return PeerCredentials(
        pid or None,
        known_uid(uid),
        None if gid == overflow_gid and not _translates_all("gid_map") else gid,
        None
        if not isinstance(groups, tuple) or (overflow_gid in groups and not _translates_all("gid_map"))
        else groups,
        groups if isinstance(groups, int) else None,
    )


def known_uid(number: int) -> int | None:
    """A uid as the kernel tells it to this process; `None` if it may stand for one that has no number here."""
    return None if number == _overflow_ids()[0] and not _translates_all("uid_map") else number


def peer_groups(sock: socket.socket) -> tuple[int, ...] | Unavailable:
    """The peer's supplementary groups (SO_PEERGROUPS, Linux 4.13), all, in this user namespace's numbers.

    A group without a number here reads as the overflow gid; `peer_credentials` reports such a list as
    unknown. Raises OSError for a descriptor that is no socket.
    """
    data = _answer(sock, SO_PEERGROUPS, 128)
    if data is Unavailable.SHORT:
        data = _long_answer(sock, SO_PEERGROUPS)
    return data if isinstance(data, Unavailable) else _group_numbers(data)


def _kept_groups(sock: socket.socket) -> tuple[int, ...] | int | Unavailable:
    """The peer's supplementary groups, the same object for the same ones; or how many there are, if these are many."""
    data = _answer(sock, SO_PEERGROUPS, 128)
    if data is Unavailable.SHORT:
        length = _length(sock, SO_PEERGROUPS)
        if length is None:
            return Unavailable.SHORT
        if length > 4 * KEPT_GROUPS:
            return length // 4
        data = _long_answer(sock, SO_PEERGROUPS)
    return data if isinstance(data, Unavailable) else _shared_group_numbers(data)


def _group_numbers(data: bytes) -> tuple[int, ...] | Unavailable:
    count, rest = divmod(len(data), 4)
    return Unavailable.SHORT if rest else struct.unpack(f"={count}I", data)


_shared_group_numbers = functools.lru_cache(maxsize=256)(_group_numbers)


def peer_pidfd(sock: socket.socket) -> int | Unavailable:
    """A descriptor of the peer's process itself (SO_PEERPIDFD, Linux 6.5), which no other process can inherit.

    The caller closes it. It is close-on-exec, and readable as soon as the process has ended.
    `Unavailable.REAPED` if the process is gone: older kernels refuse then, newer ones hand out a descriptor
    of which nothing can be asked. A peer outside this pid namespace does have one. Raises OSError for a
    descriptor that is no socket, or if this process has no descriptor left.
    """
    if sys.platform == "win32":
        return Unavailable.OPTION
    if not is_unix(sock) or sock.getsockopt(SOL_SOCKET, SO_ACCEPTCONN):
        return Unavailable.PEER
    try:
        pidfd = sock.getsockopt(SOL_SOCKET, SO_PEERPIDFD)
    except OSError as error:
        # EINVAL from 6.5 on and ESRCH later: pidfd_prepare(), kernel/fork.c.
        if error.errno in {errno.EINVAL, errno.ESRCH}:
            return Unavailable.REAPED
        if error.errno in _OUTCOMES:
            return _OUTCOMES[error.errno]
        raise
    poll = select.poll()
    poll.register(pidfd, 0)
    if poll.poll(0):  # POLLHUP: it has been collected
        os.close(pidfd)
        return Unavailable.REAPED
    return pidfd


def peer_label(sock: socket.socket) -> str | Unavailable:
    """The peer's security label (SO_PEERSEC), as the active Linux security module writes it.

    `Unavailable.OPTION` where no module is active that has labels. Raises OSError for a descriptor that is no
    socket.
    """
    data = _answer(sock, SO_PEERSEC, 256)
    if data is Unavailable.SHORT:
        data = _long_answer(sock, SO_PEERSEC)
    if isinstance(data, Unavailable):
        return data
    return data.rstrip(b"\0").decode(errors="backslashreplace") or Unavailable.PEER


def _answer(sock: socket.socket, option: int, room: int) -> bytes | Unavailable:
    try:
        return sock.getsockopt(SOL_SOCKET, option, room)
    except OSError as error:
        if error.errno in _OUTCOMES:
            return _OUTCOMES[error.errno]
        raise


def _long_answer(sock: socket.socket, option: int) -> bytes | Unavailable:
    """More than fits the first buffer; beyond CPython's limit by the C library, where ctypes can reach it."""
    data = _answer(sock, option, _LONGEST)
    if data is not Unavailable.SHORT:
        return data
    try:
        import ctypes  # noqa: PLC0415 - heavy, and almost nobody has so many groups
    except ImportError:
        return Unavailable.SHORT
    library = _library()
    length = ctypes.c_uint32(_LONGEST)
    while True:
        room = length.value
        buffer = ctypes.create_string_buffer(room)
        if library.getsockopt(sock.fileno(), SOL_SOCKET, option, buffer, ctypes.byref(length)) == 0:
            return buffer.raw[: length.value]
        error = ctypes.get_errno()
        # On ERANGE the kernel writes the length that it needs; an emulator may not. Groups never change, a
        # label may.
        if error == errno.ERANGE and length.value > room:
            continue
        if error in _OUTCOMES:
            return _OUTCOMES[error]
        raise OSError(error, os.strerror(error))


def _length(sock: socket.socket, option: int) -> int | None:
    """How many bytes an answer has that is longer than a few; `None` if that can't be known."""
    try:
        import ctypes  # noqa: PLC0415 - as above
    except ImportError:
        return None
    length = ctypes.c_uint32(0)
    _library().getsockopt(sock.fileno(), SOL_SOCKET, option, ctypes.byref(length), ctypes.byref(length))
    return length.value or None


@functools.cache
def _library() -> ctypes.CDLL:
    import ctypes  # noqa: PLC0415 - as above

    return ctypes.CDLL(None, use_errno=True)


@functools.cache
def _overflow_ids() -> tuple[int, int]:
    """The uid and gid that stand for 'no such id here'; read once, as they are set at boot if at all."""
    return _overflow_id("overflowuid"), _overflow_id("overflowgid")


def _overflow_id(name: str) -> int:
    try:
        return int(_proc(f"sys/kernel/{name}"))
    except (OSError, ValueError):
        return DEFAULT_OVERFLOW_ID


def _translates_all(name: str) -> bool:
    """Whether this process's user namespace has a number for every id, so that the overflow id is an id.

    In the first namespace all 2^32 - 1 ids translate to themselves, and 65534 is the user who has that
    number. Anywhere else it may as well be the kernel's 'unknown', and the two cannot be told apart. Not
    cached: a process may move to another namespace, and only a peer that reads as the overflow id asks.
    """
    try:
        return sum(int(line.split()[2]) for line in _proc(f"self/{name}").splitlines()) == NO_ID
    except (OSError, ValueError, IndexError):
        return False


def _proc(path: str) -> str:
    with open(f"/proc/{path}", encoding="utf-8") as file:  # noqa: PTH123 - pathlib is a heavy import
        return file.read()
