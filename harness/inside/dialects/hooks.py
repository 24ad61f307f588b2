"""Hook events over HTTP: `POST /hook?event=NAME`. What the server saw is a JSON line on its standard output."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

from harness.inside.dialects.answer import Answer
from harness.inside.dialects.http import exchange

if TYPE_CHECKING:
    import socket
    from collections.abc import Mapping
    from typing import Literal

    from harness.inside.dialects.answer import Claims

TELLS: Literal["output"] = "output"
EVENT = "HarnessProbe"


def begin(connection: socket.socket) -> None:
    """All headers and one byte of the body."""
    connection.sendall(
        b"POST /hook?event=Slow HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        b"Content-Length: 64\r\n\r\n{"
    )


def ask(connection: socket.socket, token: str, claims: Claims) -> Answer:
    """Send one event that carries the token in `session_id`, as a hook of Claude Code would."""
    event = {"session_id": token, "cwd": os.getcwd(), "hook_event_name": EVENT, **claims.body}
    target = f"/hook?event={EVENT}" + (f"&{claims.query}" if claims.query else "")
    status, body = exchange(connection, "POST", target, json.dumps(event).encode(), claims.headers)
    return Answer("accepted" if status == 200 else "refused", f"{status} {body.decode('utf-8', 'replace')}")


def read(connection: socket.socket, query: str, headers: Mapping[str, str]) -> tuple[int, list[str]]:
    """The status of `GET /events`, and the tokens of the events that it gives."""
    target = "/events" + (f"?{query}" if query else "")
    status, body = exchange(connection, "GET", target, b"", headers)
    if status != 200:
        return status, []
    events = [json.loads(line) for line in body.decode().splitlines() if line.strip()]
    return status, [event["session_id"] for event in events if "session_id" in event]
