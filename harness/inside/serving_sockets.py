"""The Unix sockets that take clients, by sock_diag(7): which one was bound on a file, whatever it is called now."""

from __future__ import annotations

import errno
import os
import socket
import sys
from typing import TYPE_CHECKING, NamedTuple

from harness.inside.sock_diag import LARGEST, NETLINK_SOCK_DIAG, TCP_LISTEN, UnixSocket, dump_request, parse

if TYPE_CHECKING:
    from typing import Literal

TYPES: dict[int, Literal["stream", "dgram", "seqpacket"]] = {1: "stream", 2: "dgram", 5: "seqpacket"}
"""By SOCK_STREAM and so on."""


class ServingSocket(NamedTuple):
    """A socket that takes clients: its own inode's number, its type, its name, and the device and inode it stands on.

    The inode has 32 bits here. A name in the abstract name space begins with `@`.
    """

    inode: int
    type: Literal["stream", "dgram", "seqpacket"]
    name: str
    file: tuple[int, int] | None


def serving() -> list[ServingSocket]:
    """Every socket of this network namespace that listens, or is a datagram socket with a name. Raises OSError."""
    if sys.platform != "linux":
        raise OSError(errno.ENOTSUP, "sock_diag(7) is Linux's")
    found: list[ServingSocket] = []
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_SOCK_DIAG) as diag:
        diag.sendto(dump_request(1), (0, 0))
        while True:
            answer = parse(diag.recv(LARGEST), 1)
            found += [each for each in map(_serving, answer.sockets) if each is not None]
            if answer.error:
                raise OSError(answer.error, os.strerror(answer.error))
            if answer.done:
                return found


def _serving(told: UnixSocket) -> ServingSocket | None:
    """A socket with a name that takes clients.

    A datagram socket takes them in any state: with the first that connects to it, it is TCP_ESTABLISHED itself
    (unix_dgram_connect in net/unix/af_unix.c).
    """
    kind = TYPES[told.type]
    if not told.name or (kind != "dgram" and told.state != TCP_LISTEN):
        return None
    abstract = told.abstract
    shown = os.fsdecode(told.name.rstrip(b"\0")) if abstract is None else "@" + os.fsdecode(abstract)
    return ServingSocket(told.inode, kind, shown, told.file)


def at(path: str) -> ServingSocket | None:
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
