"""Somebody takes a server's name and waits for its clients: says `ready`, and in the end what it was told by whom.

It answers every connection like a friendly HTTP server, so that a client which trusts the name alone is content. A
datagram socket only receives.
"""

from __future__ import annotations

import json
import os
import select
import socket
import sys
from typing import TYPE_CHECKING

from harness.inside import credentials

if TYPE_CHECKING:
    from harness.inside.reports import SquatReport

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"


def main(path: str, datagrams: bool = False, silent: bool = False) -> None:
    """Print `ready`; when the input ends, a `SquatReport`. `silent`: hang up on each without a word."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM if datagrams else socket.SOCK_STREAM) as listener:
        listener.bind(path)
        os.chmod(path, 0o666)
        if not datagrams:
            listener.listen(16)
        print(json.dumps("ready"), flush=True)
        report: SquatReport = {"connections": 0, "bytes": {}}
        while True:
            ready, _, _ = select.select([listener, sys.stdin], [], [])
            if sys.stdin in ready:
                break
            report["connections"] += 1
            if datagrams:
                _count(report, "unknown", len(listener.recv(65536)))
                continue
            peer, _ = listener.accept()
            if silent:
                peer.close()  # at once: whoever writes after that meets SIGPIPE
                continue
            with peer:
                peer.settimeout(2.0)
                who = str(credentials.of_peer(peer)["uid"])
                try:
                    _count(report, who, len(peer.recv(65536)))
                    peer.sendall(ANSWER)
                except OSError:
                    continue
        print(json.dumps(report), flush=True)


def _count(report: SquatReport, who: str, size: int) -> None:
    report["bytes"][who] = report["bytes"].get(who, 0) + size
