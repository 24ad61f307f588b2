"""A stand-in of the Messages API on loopback: enough of its streaming form for Claude Code to take a turn.

The first request of a conversation is answered with one call of Bash, the next, which carries that call's result,
with a sentence that ends the turn. Run as a program it prints its address and serves until its input ends.

Source of the form: the Messages API's documentation of streaming (server-sent events).
"""

from __future__ import annotations

import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

LAST_WORDS = "That is all."


def events(request: dict[str, Any], command: str) -> list[dict[str, Any]]:
    """The events that answer one request."""
    messages = request.get("messages", [])
    tools = {tool.get("name") for tool in request.get("tools", [])}
    last = messages[-1]["content"] if messages else ""
    has_result = isinstance(last, list) and any(block.get("type") == "tool_result" for block in last)
    if "Bash" in tools and not has_result:
        start: dict[str, Any] = {"type": "tool_use", "id": "toolu_1", "name": "Bash", "input": {}}
        said = json.dumps({"command": command, "description": "What the tests ask for"})
        delta: dict[str, Any] = {"type": "input_json_delta", "partial_json": said}
        reason = "tool_use"
    else:
        start, delta, reason = {"type": "text", "text": ""}, {"type": "text_delta", "text": LAST_WORDS}, "end_turn"
    return [
        {
            "type": "message_start",
            "message": {
                "id": "msg_1",
                "type": "message",
                "role": "assistant",
                "model": request.get("model", "stand-in"),
                "content": [],
                "stop_reason": None,
                "stop_sequence": None,
                "usage": {"input_tokens": 1, "output_tokens": 1},
            },
        },
        {"type": "content_block_start", "index": 0, "content_block": start},
        {"type": "content_block_delta", "index": 0, "delta": delta},
        {"type": "content_block_stop", "index": 0},
        {
            "type": "message_delta",
            "delta": {"stop_reason": reason, "stop_sequence": None},
            "usage": {"output_tokens": 2},
        },
        {"type": "message_stop"},
    ]


class Handler(BaseHTTPRequestHandler):
    """Answers the client's requests; the server's `command` is what Bash is asked to run."""

    protocol_version = "HTTP/1.1"
    server: StandIn

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or b"{}")
        if self.path.split("?")[0] != "/v1/messages":
            self._send(404, "application/json", b'{"type":"error","error":{"type":"not_found_error","message":"-"}}')
            return
        answer = events(request, self.server.command)
        if request.get("stream"):
            body = "".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in answer).encode()
            self._send(200, "text/event-stream", body)
            return
        message = answer[0]["message"] | {"content": [{"type": "text", "text": LAST_WORDS}], "stop_reason": "end_turn"}
        self._send(200, "application/json", json.dumps(message).encode())

    def do_GET(self) -> None:
        self._send(404, "application/json", b'{"type":"error","error":{"type":"not_found_error","message":"-"}}')

    def do_HEAD(self) -> None:
        self.do_GET()

    def _send(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: the address is all that is read of this program."""


class StandIn(ThreadingHTTPServer):
    """The server, and the command that it has Bash run."""

    daemon_threads = True

    def __init__(self, command: str) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.command = command


def main() -> None:
    """Serve until the input ends."""
    with StandIn(sys.argv[1]) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        print(f"http://127.0.0.1:{server.server_address[1]}", flush=True)
        sys.stdin.read()
        server.shutdown()


if __name__ == "__main__":
    main()
