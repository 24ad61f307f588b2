"""HTTP/1.1, as any web server speaks it: `GET /`. It says nothing about whom the server saw."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.inside.dialects.answer import Answer

if TYPE_CHECKING:
    import socket
    from collections.abc import Mapping

    from harness.inside.dialects.answer import Claims

TELLS = None


def begin(connection: socket.socket) -> None:
    """A request line and half a header."""
    connection.sendall(b"GET / HTTP/1.1\r\nHost: local")


def ask(connection: socket.socket, token: str, claims: Claims) -> Answer:
    """Get the root."""
    status, body = exchange(connection, "GET", "/?probe=" + token, b"", claims.headers)
    return Answer("accepted" if status < 500 else "refused", body.decode("utf-8", "replace"))


def exchange(
    connection: socket.socket, method: str, target: str, body: bytes, headers: Mapping[str, str]
) -> tuple[int, bytes]:
    """One request and its whole answer: the status and the body. Raises EOFError if the server hangs up early."""
    lines = [f"{method} {target} HTTP/1.1", "Host: localhost", "Connection: close"]
    lines += [f"{key}: {value}" for key, value in headers.items()]
    if body:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    connection.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
    stream = connection.makefile("rb")
    first = stream.readline()
    if not first.startswith(b"HTTP/"):
        raise EOFError("no answer")
    status = int(first.split()[1])
    answered: dict[str, str] = {}
    for line in iter(stream.readline, b""):
        if line in (b"\r\n", b"\n"):
            break
        key, _, value = line.decode("latin-1").partition(":")
        answered[key.strip().lower()] = value.strip()
    if "content-length" in answered:
        return status, stream.read(int(answered["content-length"]))
    if answered.get("transfer-encoding", "").lower() != "chunked":
        return status, stream.read()
    whole = b""
    while True:
        size = int(stream.readline().split(b";")[0] or b"0", 16)
        whole += stream.read(size)
        stream.readline()
        if not size:
            return status, whole
