"""PostgreSQL's frontend/backend protocol, version 3: ask `select current_user`. The role is whom the server saw."""

from __future__ import annotations

import os
import struct
from typing import TYPE_CHECKING

from harness.inside.credentials import user_name
from harness.inside.dialects.answer import Answer

if TYPE_CHECKING:
    import socket
    from typing import IO, Literal

    from harness.inside.dialects.answer import Claims

TELLS: Literal["answer"] = "answer"
DATABASE = "postgres"
VERSION = 196608
"""3.0, as the start-up message spells it."""
CANNOT_CONNECT_NOW = "57P03"
"""What a server that is starting up says (PostgreSQL's appendix A, error codes)."""


def begin(connection: socket.socket) -> None:
    """Half of the length of a start-up message."""
    connection.sendall(b"\0\0")


def ask(connection: socket.socket, token: str, claims: Claims) -> Answer:
    """Log in by the name of our uid, or by the name that is claimed, and ask who we are."""
    kind, rows = query(connection, claims.user or user_name(os.geteuid()) or str(os.geteuid()), "select current_user")
    if kind == "accepted" and rows and rows[0]:
        return Answer(kind, rows[0][0], {"user": rows[0][0]})
    return Answer(kind, rows[0][0] if rows and rows[0] else "")


def query(connection: socket.socket, user: str, sql: str) -> tuple[str, list[list[str]]]:
    """Log in and run one statement: `accepted` and its rows, or `refused` or `starting` and the server's sentence."""
    settings = b"".join(part.encode() + b"\0" for part in ("user", user, "database", DATABASE)) + b"\0"
    connection.sendall(struct.pack(">II", len(settings) + 8, VERSION) + settings)
    stream = connection.makefile("rb")
    rows: list[list[str]] = []
    asked = False
    while True:
        kind, body = _message(stream)
        if kind == b"E":
            fields = _fields(body)
            sentence = f"{fields.get('S', '')}: {fields.get('M', '')}"
            return "starting" if fields.get("C") == CANNOT_CONNECT_NOW else "refused", [[sentence]]
        if kind == b"R" and struct.unpack(">I", body[:4]) != (0,):
            return "refused", [["the server asks for a password"]]
        if kind == b"D":
            rows.append(_row(body))
        elif kind == b"Z" and not asked:
            asked = True
            text = sql.encode() + b"\0"
            connection.sendall(b"Q" + struct.pack(">I", len(text) + 4) + text)
        elif kind == b"Z":
            connection.sendall(b"X" + struct.pack(">I", 4))
            return "accepted", rows


def _message(stream: IO[bytes]) -> tuple[bytes, bytes]:
    head = stream.read(5)
    if len(head) < 5:
        raise EOFError("no answer")
    (length,) = struct.unpack(">I", head[1:])
    return head[:1], stream.read(length - 4)


def _fields(body: bytes) -> dict[str, str]:
    parts = [part.decode("utf-8", "replace") for part in body.split(b"\0") if part]
    return {part[0]: part[1:] for part in parts}


def _row(body: bytes) -> list[str]:
    (count,) = struct.unpack(">H", body[:2])
    values, at = [], 2
    for _ in range(count):
        (length,) = struct.unpack(">i", body[at : at + 4])
        at += 4
        values.append("" if length < 0 else body[at : at + length].decode("utf-8", "replace"))
        at += max(length, 0)
    return values
