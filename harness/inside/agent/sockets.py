"""The sockets of a world, which the agent holds."""

from __future__ import annotations

import os
import socket
import struct
import sys
from typing import TYPE_CHECKING

from harness.inside import credentials

if TYPE_CHECKING:
    from typing import Any

    from harness.inside.messages import EncodedCredentials

TYPES = {"stream": socket.SOCK_STREAM, "dgram": socket.SOCK_DGRAM, "seqpacket": socket.SOCK_SEQPACKET}
LENGTH_FIRST = sys.platform.startswith(("darwin", "freebsd", "openbsd", "netbsd"))
"""Whether an address begins with its length, and the family has one byte (sys/un.h)."""
SUN_PATH = 108 if sys.platform == "linux" else 104
BACKLOG = 4096


class HeldSocket:
    """A socket of the world. `address` is what its clients see as their peer's name."""

    def __init__(self, held: socket.socket, address: bytes, accepts: bool) -> None:
        self.held = held
        self.address = address
        self.accepts = accepts

    def drain(self) -> list[EncodedCredentials]:
        """Accept whoever waits, read who it is, hang up."""
        met = []
        while self.accepts:
            try:
                peer, _ = self.held.accept()
            except BlockingIOError:
                break
            with peer:
                met.append(credentials.of_peer(peer))
        return met


def hold(path: str, kind: str, state: str, short: str) -> HeldSocket | None:
    """Make a socket at a path; `None` for a stale one, which nobody holds. Raises OSError.

    `short` is a name that is free in any directory: where the path is longer than an address may be, the socket is made
    under that name and moved.
    """
    held = socket.socket(socket.AF_UNIX, TYPES[kind])
    try:
        if len(os.fsencode(path)) < SUN_PATH:
            held.bind(path)
        else:
            parent, name = os.path.split(path)
            os.chdir(parent)
            held.bind(short)
            os.rename(short, name)
            os.chdir("/")
    except BaseException:
        os.chdir("/")
        held.close()
        raise
    if state == "stale":
        held.close()
        return None
    accepts = state == "listening" and kind != "dgram"
    if accepts:
        held.listen(BACKLOG)
    held.setblocking(False)
    return HeldSocket(held, address_bytes(held.getsockname()), accepts)


def address_bytes(address: Any) -> bytes:
    """A Unix socket's address as bytes, which Python gives as text or, for an abstract one, as bytes."""
    return address if isinstance(address, bytes) else os.fsencode(address)


def sockaddr(path: bytes) -> bytes:
    """A struct sockaddr_un with this path, however long, and no closing NUL."""
    if LENGTH_FIRST:
        return struct.pack("BB", min(2 + len(path), 255), socket.AF_UNIX) + path
    return struct.pack("=H", socket.AF_UNIX) + path
