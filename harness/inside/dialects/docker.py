"""The Docker API: `GET /_ping`. It says nothing about whom the daemon saw."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.inside.dialects.answer import Answer
from harness.inside.dialects.http import exchange

if TYPE_CHECKING:
    import socket

    from harness.inside.dialects.answer import Claims

TELLS = None


def begin(connection: socket.socket) -> None:
    """A request line and half a header."""
    connection.sendall(b"GET /_ping HTTP/1.1\r\nHost: dock")


def ask(connection: socket.socket, token: str, claims: Claims) -> Answer:
    """Ping."""
    status, body = exchange(connection, "GET", f"/_ping?probe={token}", b"", claims.headers)
    return Answer("accepted" if (status, body) == (200, b"OK") else "refused", body.decode("utf-8", "replace"))
