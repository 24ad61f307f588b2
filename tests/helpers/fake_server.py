"""A server in this process that does as it is told with each connection."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from typing import TYPE_CHECKING

from tests.helpers.own_process import effective_user

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


class FakeServer:
    """It serves one connection after the other, and keeps count of them."""

    def __init__(self, path: Path, behave: Callable[[FakeServer, socket.socket], None]) -> None:
        self.received: list[bytes] = []
        """What `behave` has put here."""
        self.connections = 0
        self._behave = behave
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.bind(str(path))
        self._socket.listen(100)
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._socket.accept()
                self.connections += 1
                with connection, contextlib.suppress(OSError):
                    self._behave(self, connection)

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._socket.close()


@contextlib.contextmanager
def serving(
    path: Path, behave: Callable[[FakeServer, socket.socket], None], owner: int | None = None
) -> Iterator[FakeServer]:
    """Such a server at a path; root can make it another user's, whom the kernel then names to its clients."""
    with contextlib.nullcontext() if owner in {None, os.geteuid()} else effective_user(owner or 0):
        server = FakeServer(path, behave)
    try:
        yield server
    finally:
        server.close()


def answering(data: bytes) -> Callable[[FakeServer, socket.socket], None]:
    """Take what comes, and answer with these bytes whatever it was."""

    def behave(server: FakeServer, connection: socket.socket) -> None:
        server.received.append(connection.recv(65536))
        connection.sendall(data)

    return behave


def hang(server: FakeServer, connection: socket.socket) -> None:
    """Take what comes, until the client has gone."""
    while connection.recv(65536):
        pass
