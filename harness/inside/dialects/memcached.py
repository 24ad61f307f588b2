"""memcached's text protocol: `version`. It says nothing about whom the server saw."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.inside.dialects.answer import Answer

if TYPE_CHECKING:
    import socket

    from harness.inside.dialects.answer import Claims

TELLS = None


def begin(connection: socket.socket) -> None:
    """Half a command."""
    connection.sendall(b"vers")


def ask(connection: socket.socket, token: str, claims: Claims) -> Answer:
    """Ask for its version."""
    del token, claims
    connection.sendall(b"version\r\n")
    line = connection.makefile("rb").readline()
    if not line:
        raise EOFError("no answer")
    return Answer("accepted" if line.startswith(b"VERSION ") else "refused", line.decode("utf-8", "replace").strip())
