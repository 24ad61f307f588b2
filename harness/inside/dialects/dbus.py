"""D-Bus (its specification, versions 0.38 and before): log in by EXTERNAL, and ask the bus who we are.

Whom the bus saw is what it says of the process and the user behind our own connection.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import struct
from typing import TYPE_CHECKING

from harness.inside.dialects.answer import Answer

if TYPE_CHECKING:
    import socket
    from typing import IO, Literal

    from harness.inside.dialects.answer import Claims

TELLS: Literal["answer"] = "answer"
BUS, BUS_PATH = "org.freedesktop.DBus", "/org/freedesktop/DBus"
RETURN, FAILURE = 2, 3
"""METHOD_RETURN and ERROR."""


def begin(connection: socket.socket) -> None:
    """The byte that comes first, and half a line."""
    connection.sendall(b"\0AUTH EXT")


def ask(connection: socket.socket, token: str, claims: Claims) -> Answer:
    """Log in as who we are, or as who is claimed."""
    del token
    uid = os.geteuid()
    if claims.user:
        with contextlib.suppress(KeyError):
            uid = pwd.getpwnam(claims.user).pw_uid
    connection.sendall(b"\0AUTH EXTERNAL " + str(uid).encode().hex().encode() + b"\r\n")
    stream = connection.makefile("rb")
    line = stream.readline()
    if not line:
        raise EOFError("no answer")
    if not line.startswith(b"OK"):
        return Answer("refused", line.decode("utf-8", "replace").strip())
    connection.sendall(b"BEGIN\r\n" + _call(1, "Hello"))
    kind, body = _reply(stream)
    if kind != RETURN:
        return Answer("refused", _text(body))
    name = _text(body)
    seen = {}
    for serial, key, member in ((2, "uid", "GetConnectionUnixUser"), (3, "pid", "GetConnectionUnixProcessID")):
        connection.sendall(_call(serial, member, name))
        kind, body = _reply(stream)
        if kind != RETURN:
            return Answer("refused", _text(body))
        (seen[key],) = struct.unpack_from("<I", body)
    return Answer("accepted", name, seen)


def _text(body: bytes) -> str:
    """The string with which a body begins."""
    if len(body) < 4:
        return ""
    (length,) = struct.unpack_from("<I", body)
    return body[4 : 4 + length].decode("utf-8", "replace")


def _call(serial: int, member: str, argument: str | None = None) -> bytes:
    """A METHOD_CALL to the bus itself, little-endian, with at most one string."""
    body = b"" if argument is None else _string(argument)
    texts = [(1, "o", BUS_PATH), (2, "s", BUS), (3, "s", member), (6, "s", BUS)]
    fields = b""
    for code, signature, value in texts:
        fields = _padded(fields, 8) + bytes([code, 1]) + signature.encode() + b"\0" + _string(value)
    if argument is not None:
        fields = _padded(fields, 8) + bytes([8, 1]) + b"g\0" + b"\1s\0"
    head = struct.pack("<cBBBIII", b"l", 1, 0, 1, len(body), serial, len(fields))
    return _padded(head + fields, 8) + body


def _string(text: str) -> bytes:
    data = text.encode()
    return struct.pack("<I", len(data)) + data + b"\0"


def _padded(data: bytes, boundary: int) -> bytes:
    return data + b"\0" * (-len(data) % boundary)


def _reply(stream: IO[bytes]) -> tuple[int, bytes]:
    """The type and the body of the next message that answers something. Raises EOFError."""
    while True:
        head = stream.read(16)
        if len(head) < 16:
            raise EOFError("no answer")
        _, kind, _, _, length, _, fields = struct.unpack("<cBBBIII", head)
        stream.read(fields + (-fields % 8))
        body = stream.read(length)
        if kind in (RETURN, FAILURE):
            return kind, body
