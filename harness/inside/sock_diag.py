"""The messages of sock_diag(7) that tell of Unix sockets: the request as bytes, and what the kernel's bytes say.

Pure. Every number and layout is that of linux/netlink.h, linux/sock_diag.h and linux/unix_diag.h; a socket's name comes
as counted bytes, so no byte of it can be taken for anything else.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

AF_UNIX: Final = 1
NETLINK_SOCK_DIAG: Final = 4
SOCK_DIAG_BY_FAMILY: Final = 20
NLM_F_REQUEST, NLM_F_DUMP, NLM_F_DUMP_INTR = 0x001, 0x300, 0x010
NLMSG_NOOP, NLMSG_ERROR, NLMSG_DONE = 1, 2, 3
UDIAG_SHOW_NAME, UDIAG_SHOW_VFS, UDIAG_SHOW_RQLEN, UDIAG_SHOW_UID = 0x01, 0x02, 0x10, 0x40
UNIX_DIAG_NAME, UNIX_DIAG_VFS, UNIX_DIAG_RQLEN, UNIX_DIAG_UID = 0, 1, 4, 7
ALL_STATES: Final = 0xFFFFFFFF
TCP_ESTABLISHED, TCP_CLOSE, TCP_LISTEN = 1, 7, 10
"""net/tcp_states.h, whose names Unix sockets borrow: connected; neither connected nor listening; listening."""

LARGEST: Final = 1 << 16
"""Room for whatever the kernel sends at once: at most 32 kB (netlink_recvmsg in net/netlink/af_netlink.c)."""

_HEADER: Final = struct.Struct("=IHHII")  # struct nlmsghdr: length, type, flags, sequence, port
_REQUEST: Final = struct.Struct("=BBHIIIII")  # struct unix_diag_req: family, protocol, pad, states, inode, show, cookie
_SOCKET: Final = struct.Struct("=BBBBIII")  # struct unix_diag_msg: family, type, state, pad, inode, cookie
_ATTRIBUTE: Final = struct.Struct("=HH")  # struct nlattr: length, type
_PAIR: Final = struct.Struct("=II")  # struct unix_diag_vfs: inode, device; struct unix_diag_rqlen: waiting, room
_ERROR: Final = struct.Struct("=i")
_ID: Final = struct.Struct("=I")
_TYPE_OF_ATTRIBUTE: Final = 0x3FFF  # NLA_TYPE_MASK: above it are two flags


class MalformedError(ValueError):
    """Bytes that are no answer of sock_diag's."""


@dataclass(frozen=True)
class UnixSocket:
    """A socket as the kernel tells of it.

    `type` is SOCK_STREAM and so on, `state` one of net/tcp_states.h, `inode` the number of the socket itself.
    `name` is its address as `sun_path` has it: an abstract one begins with NUL, one in the file system may end with
    one; None for a socket without a name. `file` is the kernel's own device number and the low 32 bits of the inode of
    the file that it was bound on. `waiting` and `room` are, of a listener, the connections that nobody has accepted and
    how many may wait. `uid` is whose process made the socket, which kernels before 5.3 do not tell.
    """

    type: int
    state: int
    inode: int
    name: bytes | None = None
    file: tuple[int, int] | None = None
    waiting: int | None = None
    room: int | None = None
    uid: int | None = None

    @property
    def abstract(self) -> bytes | None:
        """The name in the abstract name space, without the NUL before it."""
        return self.name[1:] if self.name is not None and self.name[:1] == b"\0" else None


@dataclass(frozen=True)
class Answer:
    """What one datagram of the kernel's says. `error` is an errno; after `done` nothing follows.

    `complete` is False where the kernel says that what it walked over changed meanwhile.
    """

    sockets: tuple[UnixSocket, ...]
    done: bool = False
    error: int = 0
    complete: bool = True


def dump_request(sequence: int) -> bytes:
    """Ask for every Unix socket of a network namespace, with its name, its file and its queue."""
    show = UDIAG_SHOW_NAME | UDIAG_SHOW_VFS | UDIAG_SHOW_RQLEN | UDIAG_SHOW_UID
    body = _REQUEST.pack(AF_UNIX, 0, 0, ALL_STATES, 0, show, 0, 0)
    flags = NLM_F_REQUEST | NLM_F_DUMP
    return _HEADER.pack(_HEADER.size + len(body), SOCK_DIAG_BY_FAMILY, flags, sequence, 0) + body


def parse(datagram: bytes, sequence: int) -> Answer:
    """Read a datagram that answers the request with this sequence number. Raises MalformedError."""
    sockets: list[UnixSocket] = []
    complete = True
    for kind, flags, number, body in _messages(datagram):
        if number != sequence:
            raise MalformedError(f"message {number} does not answer request {sequence}")
        complete = complete and not flags & NLM_F_DUMP_INTR
        if kind in {NLMSG_DONE, NLMSG_ERROR}:
            # NLMSG_DONE tells how the dump ended, too (netlink_dump_done); older kernels write nothing there.
            said = kind == NLMSG_ERROR or len(body) >= _ERROR.size
            error = -_unpack(_ERROR, body)[0] if said else 0
            return Answer(tuple(sockets), done=True, error=max(error, 0), complete=complete)
        if kind == SOCK_DIAG_BY_FAMILY:
            sockets.append(_socket(body))
        elif kind != NLMSG_NOOP:
            raise MalformedError(f"message type {kind} is none of sock_diag's")
    return Answer(tuple(sockets), complete=complete)


def _messages(datagram: bytes) -> Iterator[tuple[int, int, int, bytes]]:
    """Type, flags, sequence number and content of each message."""
    at = 0
    while at < len(datagram):
        length, kind, flags, number, _ = _unpack(_HEADER, datagram, at)
        if not _HEADER.size <= length <= len(datagram) - at:
            raise MalformedError(f"a message of {length} bytes where {len(datagram) - at} are left")
        yield kind, flags, number, datagram[at + _HEADER.size : at + length]
        at += _aligned(length)


def _socket(body: bytes) -> UnixSocket:
    family, kind, state, _, inode, _, _ = _unpack(_SOCKET, body)
    if family != AF_UNIX:
        raise MalformedError(f"a socket of family {family}")
    known = dict(_attributes(body))
    file = waiting = room = None
    if UNIX_DIAG_VFS in known:
        file_inode, device = _unpack(_PAIR, known[UNIX_DIAG_VFS])
        file = (device, file_inode)
    if UNIX_DIAG_RQLEN in known and state == TCP_LISTEN:
        waiting, room = _unpack(_PAIR, known[UNIX_DIAG_RQLEN])
    uid = _unpack(_ID, known[UNIX_DIAG_UID])[0] if UNIX_DIAG_UID in known else None
    return UnixSocket(kind, state, inode, known.get(UNIX_DIAG_NAME), file, waiting, room, uid)


def _attributes(body: bytes) -> Iterator[tuple[int, bytes]]:
    """Type and content of what follows struct unix_diag_msg."""
    at = _SOCKET.size
    while at < len(body):
        length, kind = _unpack(_ATTRIBUTE, body, at)
        if not _ATTRIBUTE.size <= length <= len(body) - at:
            raise MalformedError(f"an attribute of {length} bytes where {len(body) - at} are left")
        yield kind & _TYPE_OF_ATTRIBUTE, body[at + _ATTRIBUTE.size : at + length]
        at += _aligned(length)


def _aligned(length: int) -> int:
    """NLMSG_ALIGN and NLA_ALIGN: to the next four bytes."""
    return (length + 3) & ~3


def _unpack(layout: struct.Struct, data: bytes, at: int = 0) -> tuple[int, ...]:
    try:
        return layout.unpack_from(data, at)
    except struct.error:
        raise MalformedError(f"{len(data) - at} bytes where {layout.size} belong") from None
