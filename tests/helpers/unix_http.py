"""HTTP over a Unix socket: by bytes, or by the standard library's client."""

from __future__ import annotations

import http.client
import io
import socket
from typing import cast

from tests.helpers.deadline import PATIENCE


class Connection(http.client.HTTPConnection):
    """The standard library's client, over a Unix socket."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=PATIENCE)
        self._path = path

    def connect(self) -> None:
        self.sock = connected(self._path)


def connected(path: str) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX)
    sock.settimeout(PATIENCE)
    try:
        sock.connect(path)
    except BaseException:
        sock.close()
        raise
    return sock


def post(body: bytes = b"{}", event: str = "Stop", *, close: bool = False) -> bytes:
    """The bytes of a hook's request."""
    end = b"Connection: close\r\n" if close else b""
    return b"POST /hook?event=%b HTTP/1.1\r\nHost: localhost\r\n%bContent-Length: %d\r\n\r\n%b" % (
        event.encode(),
        end,
        len(body),
        body,
    )


def read_answer(sock: socket.socket, method: str = "POST") -> tuple[int, bytes]:
    """One response: its status and its body."""
    with http.client.HTTPResponse(sock, method=method) as response:
        response.begin()
        return response.status, response.read()


class _Bytes:
    """As much of a socket as a response is read from."""

    def __init__(self, data: bytes) -> None:
        self._file = io.BytesIO(data)

    def makefile(self, _mode: str) -> io.BytesIO:
        return self._file


def parsed_answer(data: bytes, method: str = "POST") -> http.client.HTTPResponse:
    """By the standard library's client, which knows nothing of this server; its head has been read."""
    response = http.client.HTTPResponse(cast("socket.socket", _Bytes(data)), method=method)
    response.begin()
    return response


def read_to_end(sock: socket.socket) -> bytes:
    found = b""
    try:
        while piece := sock.recv(1 << 20):
            found += piece
    except ConnectionResetError:
        pass
    return found
