"""The standard library's HTTPServer on a Unix socket: reads an event, takes its JSON apart, answers, keeps nothing."""

from __future__ import annotations

import socket
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from socketserver import TCPServer

import msgspec


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """One event."""
        msgspec.json.decode(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response_only(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *_: object) -> None:
        """Say nothing."""


class Server(HTTPServer):
    """As it comes, but for the kind of its address."""

    address_family = socket.AF_UNIX
    request_queue_size = 4096

    def server_bind(self) -> None:
        """Without the name of a host."""
        TCPServer.server_bind(self)


with Server(sys.argv[1], Handler) as server:  # type: ignore[arg-type]
    print("listening", file=sys.stderr, flush=True)
    server.serve_forever()
