"""The page's port."""

from __future__ import annotations

import signal
import socket
from typing import TYPE_CHECKING

import uvicorn

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    from starlette.types import ASGIApp


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


class _Server(uvicorn.Server):
    """A server that ends its streams when it's told to end: otherwise it would wait for them."""

    def __init__(self, config: uvicorn.Config, end_streams: Callable[[], None]) -> None:
        super().__init__(config)
        self._end_streams = end_streams

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """SIGINT or SIGTERM came."""
        super().handle_exit(sig, frame)
        self._end_streams()


def ready(app: ASGIApp, sock: socket.socket, end_streams: Callable[[], None]) -> Callable[[], None]:
    """Be ready to serve an application on a listening socket: what is returned does so until SIGINT or SIGTERM.

    They count from now on: one that comes before it serves ends it as soon as it does. Main thread only.
    """
    config = uvicorn.Config(
        app, lifespan="off", log_config=None, access_log=False, server_header=False, timeout_graceful_shutdown=1
    )
    server = _Server(config, end_streams)
    for number in (signal.SIGINT, signal.SIGTERM):
        # When uvicorn has ended for a signal it sends that to its process again, which is to end by itself.
        signal.signal(number, server.handle_exit)
    return lambda: server.run(sockets=[sock])
