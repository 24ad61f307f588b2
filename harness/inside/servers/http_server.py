"""The standard library's HTTPServer on a Unix socket, as it is usually shown: `python3 http_server.py PATH`."""

from __future__ import annotations

import socketserver
import sys
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import socket


class Hello(BaseHTTPRequestHandler):
    """Answers every GET."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Say hello."""
        self.send_response(200)
        self.send_header("Content-Length", "6")
        self.end_headers()
        self.wfile.write(b"hello\n")

    def address_string(self) -> str:
        """A Unix socket's client has no address."""
        return "unix"


class UnixHTTPServer(socketserver.UnixStreamServer):
    """The HTTP server of one thread, on AF_UNIX."""

    def get_request(self) -> tuple[socket.socket, tuple[str, int]]:
        """Give the handler an address of the form that it expects."""
        request, _ = super().get_request()
        return request, ("unix", 0)


if __name__ == "__main__":
    with UnixHTTPServer(sys.argv[1], Hello) as server:
        server.serve_forever()
