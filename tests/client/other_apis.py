"""Stand-ins of the services of Codex (OpenAI's Responses API) and of Gemini CLI (generateContent), on loopback.

The first answer to a conversation has the client run `COMMAND`; once its result has come, the next says `LAST_WORDS`.
Sources: the streaming events of the Responses API, and the REST reference of the Gemini API.
"""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

COMMAND = "echo hello"
LAST_WORDS = "That is all."


def responses(request: dict[str, Any]) -> bytes:
    """The events that answer a request of Codex's."""
    item: dict[str, Any] = {"type": "message", "role": "assistant", "id": "msg_1"}
    item["content"] = [{"type": "output_text", "text": LAST_WORDS}]
    if not any(str(each.get("type")).endswith("call_output") for each in request["input"]):
        names = {tool.get("name") for tool in request["tools"]}
        name, given = ("exec_command", {"cmd": COMMAND})
        if name not in names:
            name, given = ("shell_command", {"command": COMMAND})
        item = {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": name}
        item["arguments"] = json.dumps(given)
    usage = {"input_tokens": 1, "input_tokens_details": None, "output_tokens": 1, "output_tokens_details": None}
    events: list[dict[str, Any]] = [
        {"type": "response.created", "response": {"id": "resp_1"}},
        {"type": "response.output_item.done", "item": item},
        {"type": "response.completed", "response": {"id": "resp_1", "usage": {**usage, "total_tokens": 2}}},
    ]
    return "".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events).encode()


def generated(request: dict[str, Any]) -> bytes:
    """What answers a request of Gemini CLI's."""
    parts = [part for content in request["contents"] for part in content["parts"]]
    said: dict[str, Any] = {"text": LAST_WORDS}
    if request.get("tools") and not any("functionResponse" in part for part in parts):
        said = {"functionCall": {"name": "run_shell_command", "args": {"command": COMMAND}}}
    content = {"role": "model", "parts": [said]}
    usage = {"promptTokenCount": 1, "candidatesTokenCount": 1, "totalTokenCount": 2}
    answer = {"candidates": [{"content": content, "finishReason": "STOP", "index": 0}], "usageMetadata": usage}
    return json.dumps(answer).encode()


class Handler(BaseHTTPRequestHandler):
    """Answers both clients."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or b"{}")
        path = self.path.partition("?")[0]
        if path.endswith("/responses"):
            self._send(200, "text/event-stream", responses(request))
        elif path.endswith(":streamGenerateContent"):
            self._send(200, "text/event-stream", b"data: " + generated(request) + b"\n\n")
        elif path.endswith(":generateContent"):
            self._send(200, "application/json", generated(request))
        else:
            self._send(404, "application/json", b"{}")

    def do_GET(self) -> None:
        self._send(404, "application/json", b"{}")

    def _send(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@contextmanager
def answering() -> Iterator[str]:
    """The address of both."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
