"""No protocol that we know: to be let in is all that can be seen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.inside.dialects.answer import Answer

if TYPE_CHECKING:
    import socket

    from harness.inside.dialects.answer import Claims

TELLS = None


def begin(connection: socket.socket) -> None:
    """Say nothing."""


def ask(connection: socket.socket, token: str, claims: Claims) -> Answer:
    """Be connected."""
    return Answer("accepted")
