"""A caller inside a place, which sends HTTP requests: one, or as many as it is told to.

Each line on standard input is a `CallOrder`; each line on standard output, a `CallReport`, says what happened.
"""

from __future__ import annotations

import json
import socket
import sys
from typing import TYPE_CHECKING

from harness.inside import credentials, errnos

if TYPE_CHECKING:
    from typing import Any

    from harness.inside.messages import CallOrder, CallReport


def main(order: CallOrder | None = None) -> None:
    """Call as this order says, else until there are no more orders on standard input."""
    if order is not None:
        print(json.dumps(call(**order)))
        return
    for line in sys.stdin:
        print(json.dumps(call(**json.loads(line))), flush=True)


def call(to: str | list[Any], target: str, body: object) -> CallReport:
    """Connect, send one request, read the whole answer."""
    with socket.socket(socket.AF_UNIX if isinstance(to, str) else socket.AF_INET) as peer:
        try:
            peer.connect(to if isinstance(to, str) else tuple(to))
        except OSError as error:
            return {"outcome": errnos.name(error), "status": None, "process": None}
        content = json.dumps(body).encode()
        head = (
            f"POST {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
        )
        peer.sendall(head.encode() + content)
        answer = b""
        while chunk := peer.recv(65536):
            answer += chunk
    return {"outcome": "ok", "status": int(answer.split(None, 2)[1]), "process": credentials.of_this_process()}
