"""A hook server on a TCP port of the loopback, as existing dashboards are: `python3 tcp_hooks.py HOST PORT`.

It answers `POST /hook` and writes each event as a JSON line. Of its clients it knows an address, so it says `null`
for who they are, and keeps what they claim of themselves, for there is nothing else to go by.
"""

from __future__ import annotations

import json
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import socket

PAUSE = 0.05
"""Seconds before a server that has no descriptor left takes the next client."""

events: list[dict[str, object]] = []


class Hooks(BaseHTTPRequestHandler):
    """The endpoint for hooks, and one to read."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Take an event."""
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        event = {"_peer_pid": None, "_peer_uid": None, "_peer_gid": None, **body}
        events.append(event)
        print(json.dumps(event), flush=True)
        self.answer(b"")

    def do_GET(self) -> None:
        """Give all events."""
        self.answer("".join(json.dumps(event) + "\n" for event in events).encode())

    def answer(self, body: bytes) -> None:
        """200 and a body."""
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Write no log."""


class HooksServer(ThreadingHTTPServer):
    """One thread for each client."""

    daemon_threads = True
    request_queue_size = 128
    allow_reuse_address = True

    def get_request(self) -> tuple[socket.socket, Any]:
        """The next client; where that fails, the library would try again at once, and keep a processor busy."""
        try:
            return super().get_request()
        except OSError:
            time.sleep(PAUSE)
            raise


if __name__ == "__main__":
    with HooksServer((sys.argv[1], int(sys.argv[2])), Hooks) as server:
        server.serve_forever()
