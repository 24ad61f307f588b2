"""The ssh-agent protocol (draft-ietf-sshm-ssh-agent): list the identities. It says nothing about whom the agent saw."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from harness.inside.dialects.answer import Answer

if TYPE_CHECKING:
    import socket

    from harness.inside.dialects.answer import Claims

TELLS = None
REQUEST_IDENTITIES, IDENTITIES_ANSWER = 11, 12


def begin(connection: socket.socket) -> None:
    """Three of the four bytes of a length."""
    connection.sendall(b"\0\0\0")


def ask(connection: socket.socket, token: str, claims: Claims) -> Answer:
    """Ask which keys there are."""
    connection.sendall(struct.pack(">IB", 1, REQUEST_IDENTITIES))
    stream = connection.makefile("rb")
    head = stream.read(4)
    if len(head) < 4:
        raise EOFError("no answer")
    (length,) = struct.unpack(">I", head)
    body = stream.read(length)
    if body[:1] != bytes([IDENTITIES_ANSWER]):
        return Answer("refused", f"message {body[:1].hex()}")
    (keys,) = struct.unpack(">I", body[1:5])
    return Answer("accepted", f"{keys} keys")
