"""The page's port."""

from __future__ import annotations

import socket


def listen(port: int) -> socket.socket:
    """Listen on 127.0.0.1, at a free port for 0. Raises OSError."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        # Without SO_REUSEPORT, so that nobody else can have the port as long as this socket has it.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(("127.0.0.1", port))
        sock.listen(128)
    except OSError:
        sock.close()
        raise
    return sock
