"""What every platform's module asks of a socket before it asks of the peer."""

from __future__ import annotations

import errno
import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

AF_UNIX: int = getattr(socket, "AF_UNIX", -1)
"""-1, which no socket's family is, where the platform has no Unix sockets."""

# The plain number, without the enumeration member that `socket.socket.family` makes at each call (1 us).
_family: Callable[[socket.socket], int] = socket.SocketType.family.__get__

NO_ANSWER = frozenset({errno.ENOTCONN, errno.EINVAL, errno.ENOPROTOOPT, errno.EOPNOTSUPP})
"""What a BSD kernel says of a socket that has no peer, or of an option that it lacks."""


def is_unix(sock: socket.socket) -> bool:
    """Whether this is a Unix socket (or a wrapper of one, such as asyncio's)."""
    try:
        return _family(sock) == AF_UNIX
    except TypeError:
        return sock.family == AF_UNIX


def ask(sock: socket.socket, level: int, option: int, size: int) -> bytes:
    """The bytes that the kernel answers, none if it knows nothing.

    Raises OSError where the descriptor is at fault.
    """
    try:
        return sock.getsockopt(level, option, size)
    except OSError as error:
        if error.errno in NO_ANSWER:
            return b""
        raise
