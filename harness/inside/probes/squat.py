"""Somebody takes a server's name and waits for its clients: says `ready`, and in the end what it was told.

It answers every connection like a friendly HTTP server, so that a client which trusts the name alone is content.
"""

from __future__ import annotations

import json
import os
import select
import socket
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.inside.reports import SquatReport

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"


def main(path: str) -> None:
    """Print `ready`; when the input ends, a `SquatReport`."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(path)
        os.chmod(path, 0o666)
        listener.listen(16)
        print(json.dumps("ready"), flush=True)
        connections, received = 0, 0
        while True:
            ready, _, _ = select.select([listener, sys.stdin], [], [])
            if sys.stdin in ready:
                break
            peer, _ = listener.accept()
            connections += 1
            with peer:
                peer.settimeout(2.0)
                try:
                    received += len(peer.recv(65536))
                    peer.sendall(ANSWER)
                except OSError:
                    continue
        report: SquatReport = {"connections": connections, "bytes": received}
        print(json.dumps(report), flush=True)
