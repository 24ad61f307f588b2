"""MariaDB's and MySQL's client/server protocol, version 10: log in, ask `select current_user()`.

The user is whom the server saw where it goes by the plugin unix_socket (or auth_socket).
"""

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
CAPABILITIES = 0x00000200 | 0x00008000 | 0x00080000
"""CLIENT_PROTOCOL_41, CLIENT_SECURE_CONNECTION, CLIENT_PLUGIN_AUTH."""
UTF8 = 45
OK, FAILURE, SWITCH = 0x00, 0xFF, 0xFE
STARTING = 1053
"""ER_SERVER_SHUTDOWN, which a server says that is not there yet or no more."""


def begin(connection: socket.socket) -> None:
    """Two of the three bytes of a packet's length."""
    connection.sendall(b"\x20\0")


def ask(connection: socket.socket, token: str, claims: Claims) -> Answer:
    """Log in by the name of our uid, or by the name that is claimed, and ask who we are."""
    del token
    user = claims.user or user_name(os.geteuid()) or str(os.geteuid())
    stream = connection.makefile("rb")
    _, greeting = _packet(stream)
    if greeting[0] == FAILURE:
        return _refusal(greeting)
    login = struct.pack("<IIB23x", CAPABILITIES, 1 << 24, UTF8) + user.encode() + b"\0\0" + b"unix_socket\0"
    _send(connection, 1, login)
    number, said = _packet(stream)
    while said[0] == SWITCH:
        _send(connection, number + 1, b"")
        number, said = _packet(stream)
    if said[0] != OK:
        return _refusal(said)
    _send(connection, 0, b"\x03select current_user()")
    _, columns = _packet(stream)
    if columns[0] == FAILURE:
        return _refusal(columns)
    for _ in range(columns[0] + 1):
        _packet(stream)
    _, row = _packet(stream)
    _packet(stream)
    name = row[1 : 1 + row[0]].decode("utf-8", "replace")
    _send(connection, 0, b"\x01")
    return Answer("accepted", name, {"user": name.partition("@")[0]})


def _send(connection: socket.socket, number: int, data: bytes) -> None:
    connection.sendall(struct.pack("<I", len(data))[:3] + bytes([number]) + data)


def _packet(stream: IO[bytes]) -> tuple[int, bytes]:
    """The number and the content of the next packet. Raises EOFError."""
    head = stream.read(4)
    if len(head) < 4:
        raise EOFError("no answer")
    data = stream.read(int.from_bytes(head[:3], "little"))
    if not data:
        raise EOFError("an empty packet")
    return head[3], data


def _refusal(packet: bytes) -> Answer:
    if packet[0] != FAILURE:
        return Answer("refused", f"message {packet[:1].hex()}")
    (code,) = struct.unpack_from("<H", packet, 1)
    text = packet[3:].decode("utf-8", "replace")
    return Answer("starting" if code == STARTING else "refused", f"{code} {text.lstrip('#')}")
