"""Redis's protocol (RESP2): `PING`. It says nothing about whom the server saw."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.inside.dialects.answer import Answer

if TYPE_CHECKING:
    import socket

    from harness.inside.dialects.answer import Claims

TELLS = None


def begin(connection: socket.socket) -> None:
    """An array of one string, of which two of four bytes are there."""
    connection.sendall(b"*1\r\n$4\r\nPI")


def ask(connection: socket.socket, token: str, claims: Claims) -> Answer:
    """Ping."""
    del token, claims
    connection.sendall(b"*1\r\n$4\r\nPING\r\n")
    line = connection.makefile("rb").readline()
    if not line:
        raise EOFError("no answer")
    text = line.decode("utf-8", "replace").strip()
    if text.startswith("-LOADING"):
        return Answer("starting", text)
    return Answer("accepted" if text == "+PONG" else "refused", text)
