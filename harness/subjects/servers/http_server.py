"""The standard library's HTTPServer on a Unix socket, as it is usually shown: `python3 http_server.py PATH`."""

from __future__ import annotations

import socket
import socketserver
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer


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


class UnixHTTPServer(HTTPServer):
    """HTTP on AF_UNIX."""

    address_family = socket.AF_UNIX

    def server_bind(self) -> None:
        """Bind; a Unix socket has no host name to look up."""
        socketserver.TCPServer.server_bind(self)

    def get_request(self) -> tuple[socket.socket, tuple[str, int]]:
        """Give the handler an address of the form that it expects."""
        request, _ = self.socket.accept()
        return request, ("unix", 0)


if __name__ == "__main__":
    with UnixHTTPServer(sys.argv[1], Hello) as server:
        server.serve_forever()
