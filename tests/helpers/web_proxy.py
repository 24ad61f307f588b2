"""A proxy for HTTP, as a company has one: by CONNECT for what is encrypted, else by whole addresses."""

from __future__ import annotations

import contextlib
import http.client
import select
import socket
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass
class Proxy:
    """A running proxy: its address, and the hosts that it was asked for."""

    address: str
    asked: list[str] = field(default_factory=list)


@contextmanager
def web_proxy(interface: str) -> Iterator[Proxy]:
    """Listen on a free port of an interface's address, as long as it is needed."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_CONNECT(self) -> None:
            host, _, port = self.path.rpartition(":")
            asked.append(host)
            with contextlib.suppress(OSError), socket.create_connection((host, int(port)), 60) as other:
                self.send_response(200)
                self.end_headers()
                _carry(self.connection, other)
            self.close_connection = True

        def do_GET(self) -> None:
            to = urlsplit(self.path)
            asked.append(to.hostname or "")
            headers = {name: value for name, value in self.headers.items() if not name.lower().startswith("proxy-")}
            with contextlib.closing(http.client.HTTPConnection(to.hostname or "", to.port or 80, timeout=60)) as other:
                other.request("GET", f"{to.path}?{to.query}" if to.query else to.path, headers=headers)
                answer = other.getresponse()
                body = answer.read()
            self.send_response(answer.status, answer.reason)
            for name, value in answer.getheaders():
                if name.lower() not in {"connection", "content-length", "transfer-encoding"}:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Nothing: what it was asked for is in `asked`."""

    server = ThreadingHTTPServer((interface, 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield Proxy(f"http://{interface}:{server.server_address[1]}", asked)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _carry(one: socket.socket, other: socket.socket) -> None:
    """Pass on what each says, until one of them has ended."""
    to = {one: other, other: one}
    while True:
        for speaker in select.select(list(to), [], [], 600)[0]:
            data = speaker.recv(1 << 16)
            if not data:
                return
            to[speaker].sendall(data)
