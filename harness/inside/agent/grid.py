"""Many modes of one directory, many principals, many sockets: every combination tried, as fast as it goes."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

from harness.inside.agent.children import NOWHERE, Child
from harness.inside.libc import LIBC

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import NoReturn

    from harness.inside.agent.sockets import HeldSocket
    from harness.inside.messages import GridRequest

GO = b"!"


class GridChildren:
    """The principals of the grid as children, who know the sockets of one world."""

    def __init__(self, sockets: Sequence[HeldSocket]) -> None:
        self._doors = [each.held for each in sockets if each.accepts]
        self._paths = [os.fsdecode(each.address) for each in sockets if each.accepts]
        self._children: list[Child] = []

    def sweep(self, request: GridRequest) -> list[list[str]]:
        """Give the directory each mode in turn, and let everybody try. Raises RefusalError."""
        if not self._children:
            kept = [door.fileno() for door in self._doors]
            self._children = [
                Child(principal, NOWHERE, lambda channel: _serve(channel, self._paths, self._doors), kept)
                for principal in request["principals"]
            ]
        found = []
        for mode in request["modes"]:
            os.chmod(request["directory"], mode)
            for child in self._children:
                child.wait_until_ready()
                child.send(GO)
            found.append([child.read(len(self._paths)).hex() for child in self._children])
        return found

    def end(self) -> None:
        """End the children."""
        while self._children:
            self._children.pop().end()


def _serve(channel: socket.socket, paths: list[str], doors: list[socket.socket]) -> NoReturn:
    """The life of a child, which tries every path at each byte received: one errno, or 0, for each path.

    It accepts its own connections, which a listener's queue would hold: by accept(2) itself, since an object for each
    would take longer than the attempt.
    """
    accept, close = LIBC.accept, os.close
    numbers = [door.fileno() for door in doors]
    while channel.recv(1):
        outcomes = bytearray()
        client = socket.SocketType(socket.AF_UNIX, socket.SOCK_STREAM)
        for path, number in zip(paths, numbers):
            outcome = client.connect_ex(path)
            if outcome == 0:
                close(accept(number, None, None))
                client.close()
                client = socket.SocketType(socket.AF_UNIX, socket.SOCK_STREAM)
            outcomes.append(outcome)
        client.close()
        channel.sendall(outcomes)
    os._exit(0)
