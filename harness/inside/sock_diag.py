"""Unix sockets as sock_diag(7) tells of them: which socket was bound on a file, whatever it is called now.

Numbers and layouts are those of linux/netlink.h, linux/sock_diag.h and linux/unix_diag.h.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
import sys
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Literal

AF_UNIX, NETLINK_SOCK_DIAG, BY_FAMILY = 1, 4, 20
REQUEST_DUMP = 0x301
"""NLM_F_REQUEST | NLM_F_DUMP."""
ERROR, DONE = 2, 3
SHOW_NAME_AND_FILE = 0x3
"""UDIAG_SHOW_NAME | UDIAG_SHOW_VFS; the attributes that answer are numbered 0 and 1."""
LISTENING = 10
"""TCP_LISTEN (net/tcp_states.h). A datagram socket takes clients in any state: with the first that connects to it, it
is TCP_ESTABLISHED itself (unix_dgram_connect in net/unix/af_unix.c)."""
TYPES: dict[int, Literal["stream", "dgram", "seqpacket"]] = {1: "stream", 2: "dgram", 5: "seqpacket"}
"""By SOCK_STREAM and so on."""


class UnixSocket(NamedTuple):
    """A socket that takes clients: its own inode's number, its type, its name, and the device and inode it stands on.

    The inode has 32 bits here. A name in the abstract name space begins with `@`.
    """

    inode: int
    type: Literal["stream", "dgram", "seqpacket"]
    name: str
    file: tuple[int, int] | None


def serving() -> list[UnixSocket]:
    """Every socket of this network namespace that listens, or is a datagram socket with a name. Raises OSError."""
    if sys.platform != "linux":
        raise OSError(errno.ENOTSUP, "sock_diag(7) is Linux's")
    body = struct.pack("=BBHIIIII", AF_UNIX, 0, 0, 0xFFFFFFFF, 0, SHOW_NAME_AND_FILE, 0, 0)
    head = struct.pack("=IHHII", 16 + len(body), BY_FAMILY, REQUEST_DUMP, 1, 0)
    found: list[UnixSocket] = []
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_SOCK_DIAG) as diag:
        diag.sendto(head + body, (0, 0))
        while True:
            for kind, message in _messages(diag.recv(1 << 16)):
                if kind == DONE:
                    return found
                if kind == ERROR:
                    code = -struct.unpack_from("=i", message)[0]
                    raise OSError(code, os.strerror(code))
                found += [each for each in (_socket(message),) if each is not None]


def _messages(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Each message's type and what follows its header."""
    at = 0
    while at + 16 <= len(data):
        length, kind = struct.unpack_from("=IH", data, at)
        yield kind, data[at + 16 : at + length]
        at += (length + 3) & ~3


def _socket(message: bytes) -> UnixSocket | None:
    _, number, state, _, inode = struct.unpack_from("=BBBBI", message)
    kind = TYPES[number]
    name, file = b"", None
    at = 16
    while at + 4 <= len(message):
        length, attribute = struct.unpack_from("=HH", message, at)
        content = message[at + 4 : at + length]
        if attribute == 0:
            name = content
        elif attribute == 1:
            low, device = struct.unpack("=II", content)
            file = (device, low)
        at += max(4, (length + 3) & ~3)
    if not name or (kind != "dgram" and state != LISTENING):
        return None
    shown = "@" + os.fsdecode(name[1:]) if name[:1] == b"\0" else os.fsdecode(name.rstrip(b"\0"))
    return UnixSocket(inode, kind, shown, file)


def at(path: str) -> UnixSocket | None:
    """The socket that is reached at a path or an abstract name (`@NAME`), if one serves there.

    By the file's device and inode; where a file system has other numbers for itself than the kernel (overlayfs), by the
    name under which it was bound.
    """
    try:
        there = serving()
    except OSError:
        return None
    if path.startswith("@"):
        return next((each for each in there if each.name == path), None)
    try:
        file = os.stat(path)
    except OSError:
        return None
    key = (os.major(file.st_dev) << 20 | os.minor(file.st_dev), file.st_ino & 0xFFFFFFFF)
    by_file = [each for each in there if each.file == key]
    return next(iter(by_file or [each for each in there if each.name == path]), None)
