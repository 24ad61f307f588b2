"""The sockets of a world, which the agent holds."""

from __future__ import annotations

import os
import socket
import struct
import sys
from typing import TYPE_CHECKING

from harness.inside import credentials

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from harness.inside.messages import EncodedCredentials

TYPES = {"stream": socket.SOCK_STREAM, "dgram": socket.SOCK_DGRAM, "seqpacket": socket.SOCK_SEQPACKET}
LENGTH_FIRST = sys.platform.startswith(("darwin", "freebsd", "openbsd", "netbsd"))
"""Whether an address begins with its length, and the family has one byte (sys/un.h)."""
SUN_PATH = 108 if sys.platform == "linux" else 104
BACKLOG = 4096
LEAST = 0 if sys.platform == "linux" else 1
"""The shortest queue that can be asked for: to the BSDs and macOS 0 is the usual one (`solisten`)."""


class HeldSocket:
    """A socket of the world. `address` is what its clients see as their peer's name."""

    def __init__(
        self, held: socket.socket, address: bytes, accepts: bool, waiting: Sequence[socket.socket] = ()
    ) -> None:
        self.held = held
        self.waiting = waiting
        self.address = address
        self.accepts = accepts

    def close(self) -> None:
        """Close it, and what waits in its queue."""
        for each in (self.held, *self.waiting):
            each.close()

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
    under that name and moved. The queue of a full one holds a connection that nobody accepts.
    """
    held = socket.socket(socket.AF_UNIX, TYPES[kind])
    parent, name = os.path.split(path)
    fits = len(os.fsencode(path)) < SUN_PATH
    address = path if fits else short
    accepts = state == "listening" and kind != "dgram"
    waiting: list[socket.socket] = []
    try:
        if not fits:
            os.chdir(parent)
        held.bind(address)
        if accepts or state == "full":
            held.listen(BACKLOG if accepts else LEAST)
        if state == "full":
            waiting = _waiting(kind, address)
        if not fits:
            os.rename(short, name)
    except BaseException:
        held.close()
        raise
    finally:
        if not fits:
            os.chdir("/")
    if state == "stale":
        held.close()
        return None
    held.setblocking(False)
    return HeldSocket(held, address_bytes(held.getsockname()), accepts, waiting)


def _waiting(kind: str, address: str) -> list[socket.socket]:
    """Connections that fill the queue of a listener."""
    waiting: list[socket.socket] = []
    while len(waiting) < BACKLOG:
        waiting.append(socket.socket(socket.AF_UNIX, TYPES[kind]))
        waiting[-1].setblocking(False)
        try:
            waiting[-1].connect(address)
        except (BlockingIOError, ConnectionRefusedError):
            waiting.pop().close()
            break
    return waiting


def address_bytes(address: Any) -> bytes:
    """A Unix socket's address as bytes, which Python gives as text or, for an abstract one, as bytes."""
    return address if isinstance(address, bytes) else os.fsencode(address)


def sockaddr(path: bytes) -> bytes:
    """A struct sockaddr_un with this path, however long, and no closing NUL."""
    if LENGTH_FIRST:
        return struct.pack("BB", min(2 + len(path), 255), socket.AF_UNIX) + path
    return struct.pack("=H", socket.AF_UNIX) + path
