"""No protocol that we know: to be let in, and for a datagram to be taken, is all that can be seen."""

from __future__ import annotations

from socket import SOCK_DGRAM
from typing import TYPE_CHECKING

from harness.inside.dialects.answer import Answer

if TYPE_CHECKING:
    import socket

    from harness.inside.dialects.answer import Claims

TELLS = None


def begin(connection: socket.socket) -> None:
    """Say nothing."""


def ask(connection: socket.socket, token: str, claims: Claims) -> Answer:
    """Be connected; where that alone reaches nobody, send a datagram."""
    if connection.type == SOCK_DGRAM:
        connection.send(token.encode())
    return Answer("accepted")
