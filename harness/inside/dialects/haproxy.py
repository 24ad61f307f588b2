"""HAProxy's command line on its stats socket: `show info`. It says nothing about whom the server saw."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.inside.dialects.answer import Answer

if TYPE_CHECKING:
    import socket

    from harness.inside.dialects.answer import Claims

TELLS = None


def begin(connection: socket.socket) -> None:
    """Half a command."""
    connection.sendall(b"show in")


def ask(connection: socket.socket, token: str, claims: Claims) -> Answer:
    """Ask for what it says of itself; it hangs up afterwards."""
    del token, claims
    connection.sendall(b"show info\n")
    said = connection.makefile("rb").read().decode("utf-8", "replace")
    if not said:
        raise EOFError("no answer")
    return Answer("accepted" if "Name: HAProxy" in said else "refused", said.strip().partition("\n")[0])
