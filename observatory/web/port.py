"""The page's port."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
from typing import TYPE_CHECKING, Final

import uvicorn

from observatory.web.strangers import Strangers, connections

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    from starlette.types import ASGIApp


WAITING: Final = 4096
"""Connections that may wait to be accepted: a crowd that fills the queue would keep others out."""
AT_ONCE: Final = 16
"""Connections that are accepted in one go: few of those that are admitted, so that nobody is turned out unheard."""
HEAD: Final = 128 * 1024
"""Bytes of a request's head: browsers send along whatever cookies other ports of this address have set."""


def listen(port: int) -> socket.socket:
    """Listen on 127.0.0.1, at a free port for 0. Raises OSError."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        # Without SO_REUSEPORT, so that nobody else can have the port as long as this socket has it.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(("127.0.0.1", port))
        sock.listen(WAITING)
    except OSError:
        sock.close()
        raise
    return sock


class _Server(uvicorn.Server):
    """A server that waits neither for its streams nor for strangers when it's told to end."""

    def __init__(self, config: uvicorn.Config, strangers: Strangers, end_streams: Callable[[], None]) -> None:
        super().__init__(config)
        self._strangers = strangers
        self._end_streams = end_streams

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to accept."""
        await super().startup(sockets)
        for sock in sockets or ():
            sock.listen(WAITING)  # asyncio has one number for what may wait and for what is accepted at once

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Accept no more, and end."""
        self._strangers.turn_out_all()
        await super().shutdown(sockets)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """SIGINT or SIGTERM came."""
        super().handle_exit(sig, frame)
        self._end_streams()


def ready(app: ASGIApp, sock: socket.socket, end_streams: Callable[[], None]) -> Callable[[], None]:
    """Be ready to serve an application on a listening socket: what is returned does so until SIGINT or SIGTERM.

    They count from now on: one that comes before it serves ends it as soon as it does. Main thread only.
    """
    strangers = Strangers()
    config = uvicorn.Config(
        app,
        http=connections(strangers),  # type: ignore[arg-type]  # uvicorn only calls it
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        backlog=AT_ONCE,
        h11_max_incomplete_event_size=HEAD,
        timeout_graceful_shutdown=1,
    )
    logging.getLogger("uvicorn.error").addFilter(_is_fault)
    server = _Server(config, strangers, end_streams)
    for number in (signal.SIGINT, signal.SIGTERM):
        # When uvicorn has ended for a signal it sends that to its process again, which is to end by itself.
        signal.signal(number, server.handle_exit)
    return lambda: server.run(sockets=[sock])


def _is_fault(record: logging.LogRecord) -> bool:
    """Whether a line of uvicorn's log is about an error in the application: anybody can bring about all others."""
    error = record.exc_info[1] if record.exc_info else None
    return error is not None and not isinstance(error, asyncio.CancelledError)
