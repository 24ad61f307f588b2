"""Linux: SO_PEERCRED, SO_PEERGROUPS, SO_PEERPIDFD and SO_PEERSEC, one function each with its outcomes named.

Source: unix(7), socket(7), net/core/sock.c (`sk_getsockopt`), net/unix/af_unix.c (`init_peercred`,
`copy_peercred`).
"""

from __future__ import annotations

import errno
import functools
import os
import socket
import struct
import sys
from typing import TYPE_CHECKING

from observatory.identity.layouts import LINUX_UCRED
from observatory.identity.model import NO_ID, UNKNOWN, PeerCredentials, Unavailable

if TYPE_CHECKING:
    from collections.abc import Mapping

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


_MACHINE = os.uname().machine if hasattr(os, "uname") else ""

SOL_SOCKET: int = getattr(socket, "SOL_SOCKET", number("SOL_SOCKET", _MACHINE))
SO_ACCEPTCONN: int = getattr(socket, "SO_ACCEPTCONN", number("SO_ACCEPTCONN", _MACHINE))
SO_PEERCRED: int = getattr(socket, "SO_PEERCRED", number("SO_PEERCRED", _MACHINE))
SO_PEERGROUPS: int = getattr(socket, "SO_PEERGROUPS", number("SO_PEERGROUPS", _MACHINE))
SO_PEERPIDFD: int = getattr(socket, "SO_PEERPIDFD", number("SO_PEERPIDFD", _MACHINE))
SO_PEERSEC: int = getattr(socket, "SO_PEERSEC", number("SO_PEERSEC", _MACHINE))

_AF_UNIX: int = getattr(socket, "AF_UNIX", -1)
_LONGEST = 1024
"""The longest buffer that CPython's own getsockopt takes."""
_UCRED = LINUX_UCRED.compiled(sys.byteorder)
_ANSWERED_NOTHING = {
    errno.ENOPROTOOPT: Unavailable.OPTION,
    errno.EOPNOTSUPP: Unavailable.OPTION,
    errno.ENOSYS: Unavailable.OPTION,
    errno.ENODATA: Unavailable.PEER,
    errno.ENOTCONN: Unavailable.PEER,
}

# The plain number, without the enumeration member that `socket.socket.family` makes at each call (1 us).
_family = socket.SocketType.family.__get__


def peer_credentials(sock: socket.socket) -> PeerCredentials | None:
    """Who opened the connection; `None` for a socket that is not a Unix socket. See `PeerCredentials`."""
    try:
        family = _family(sock)
    except TypeError:  # a wrapper, such as asyncio's TransportSocket
        family = sock.family
    if family != _AF_UNIX:
        return None
    # A listening socket has no peer, and SO_PEERCRED there is whoever called listen(): for a server, itself.
    if sock.getsockopt(SOL_SOCKET, SO_ACCEPTCONN):
        return UNKNOWN
    try:
        data = sock.getsockopt(SOL_SOCKET, SO_PEERCRED, 12)
    except OSError as error:
        if error.errno in _ANSWERED_NOTHING:
            return UNKNOWN
        raise
    if len(data) != 12:
        return UNKNOWN
    pid, uid, gid = _UCRED.unpack(data)
    if uid == NO_ID:
        return UNKNOWN
    overflow_uid, overflow_gid = _overflow_ids()
    groups = peer_groups(sock)
    return PeerCredentials(
        pid or None,
        None if uid == overflow_uid and not _translates_all("uid_map") else uid,
        None if gid == overflow_gid and not _translates_all("gid_map") else gid,
        None
        if isinstance(groups, Unavailable) or (overflow_gid in groups and not _translates_all("gid_map"))
        else groups,
    )


def peer_groups(sock: socket.socket) -> tuple[int, ...] | Unavailable:
    """The peer's supplementary groups (SO_PEERGROUPS, Linux 4.13), all, in this user namespace's numbers.

    A group without a number here reads as the overflow gid; `peer_credentials` reports such a list as
    unknown. Raises OSError for a descriptor that is no socket.
    """
    try:
        return _as_groups(sock.getsockopt(SOL_SOCKET, SO_PEERGROUPS, 128))
    except OSError as error:
        if error.errno in _ANSWERED_NOTHING:
            return _ANSWERED_NOTHING[error.errno]
        if error.errno != errno.ERANGE:
            raise
    try:
        return _as_groups(sock.getsockopt(SOL_SOCKET, SO_PEERGROUPS, _LONGEST))
    except OSError as error:
        if error.errno != errno.ERANGE:
            raise
    return _many_groups(sock.fileno())


def _as_groups(data: bytes) -> tuple[int, ...] | Unavailable:
    count, rest = divmod(len(data), 4)
    return Unavailable.SHORT if rest else struct.unpack(f"={count}I", data)


def _many_groups(descriptor: int) -> tuple[int, ...] | Unavailable:
    """More groups than CPython's getsockopt can carry: by the C library, where ctypes can reach it."""
    try:
        import ctypes  # noqa: PLC0415 - heavy, and almost nobody has so many groups
    except ImportError:
        return Unavailable.SHORT
    library = ctypes.CDLL(None, use_errno=True)
    length = ctypes.c_uint32(_LONGEST)
    while True:
        room = length.value
        buffer = ctypes.create_string_buffer(room)
        if library.getsockopt(descriptor, SOL_SOCKET, SO_PEERGROUPS, buffer, ctypes.byref(length)) == 0:
            return _as_groups(buffer.raw[: length.value])
        error = ctypes.get_errno()
        # On ERANGE the kernel writes the length that it needs; the peer's list never changes, so one more
        # turn does.
        if error != errno.ERANGE or length.value <= room:
            raise OSError(error, os.strerror(error))


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
    with open(f"/proc/{path}", encoding="ascii") as file:  # noqa: PTH123 - pathlib is a heavy import
        return file.read()
