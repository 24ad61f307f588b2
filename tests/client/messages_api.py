"""A stand-in of the Messages API on loopback: enough of its streaming form for Claude Code to take a turn.

What it answers is written in the prompt, between `do:` and the end of a JSON object: `{"bash": COMMAND}` has the
client run a command, `{"agent": PROMPT}` has it start a subagent, which is asked such an object too if that is one,
`{"calls": [[TOOL, INPUT], ...]}` has it use these tools, one after the other, and `{"gate": PATH}` has the last answer
wait until someone opens that named pipe for writing. `{"status": NUMBER}` refuses the request. `{"bash": COMMAND,
"skill": WORD, "path": PATH}` has it take, once the command has ended, the plugin's skill whose description has that
word, and run the first `harness explain` that the skill names, of that path. Without any, and once the results have
come, it says `LAST_WORDS` and ends the turn.

Each answer has other ids and another usage than every other one. The first words of its usage say less of its output
than the last, as the service's do.

Run as a program it prints its address and serves until its input ends. Source of the form: the Messages API's
documentation of streaming (server-sent events). Standard library only.
"""

from __future__ import annotations

import itertools
import json
import re
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

LAST_WORDS = "That is all."
_NUMBERS = itertools.count(1)
"""Of the answers."""
_NO = b'{"type":"error","error":{"type":"not_found_error","message":"There is nothing here."}}'


def texts(content: Any) -> str:
    """The text of a message's content, which is a string or a list of blocks."""
    if isinstance(content, str):
        return content
    return "\n".join(block.get("text", "") for block in content if block.get("type") == "text")


def wanted(messages: list[dict[str, Any]]) -> tuple[dict[str, Any], int]:
    """What the latest prompt asks for, and how many results of tools have come since; nothing of no test's prompt."""
    results = 0
    for message in reversed(messages):
        content = message["content"]
        if message["role"] != "user":
            continue
        *_, found = texts(content).rpartition("do:{")
        if f"do:{{{found}" in texts(content):
            asked: dict[str, Any] = json.JSONDecoder().raw_decode("{" + found)[0]
            return asked, results
        results += sum(block.get("type") == "tool_result" for block in content) if isinstance(content, list) else 0
    return {}, results


def of_skill(request: dict[str, Any], asked: dict[str, Any]) -> tuple[str, dict[str, Any]] | None:
    """The next call that a skill takes: of the skill, as the client describes it, then of the command that it names."""
    said = json.dumps(request)
    command = re.search(r"`(harness explain )PATH`", said)
    if command is None:
        found = re.search(rf"(observatory:[a-z-]+): (?:(?!\\n).)*?\b{asked['skill']}", said)
        return None if found is None else ("Skill", {"skill": found[1]})
    explain = command[1] + asked["path"]
    return None if json.dumps(explain) in said else ("Bash", {"command": explain, "description": "Explain"})


def block(request: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any], str]:
    """The content block that answers a request: its start, its only delta, and why the answer stops."""
    messages = request.get("messages", [])
    asked, done = wanted(messages) if "Bash" in {tool.get("name") for tool in request.get("tools", [])} else ({}, 0)
    call: tuple[str, dict[str, Any]] | None = None
    if "bash" in asked and not done:
        call = "Bash", {"command": asked["bash"], "description": "What the test asks for"}
    elif "skill" in asked:
        call = of_skill(request, asked)
    elif "agent" in asked and not done:
        asked_of_it = asked["agent"] if isinstance(asked["agent"], str) else f"do:{json.dumps(asked['agent'])}"
        call = "Agent", {"description": "A test", "prompt": asked_of_it, "subagent_type": "general-purpose"}
    elif done < len(asked.get("calls", ())):
        call = asked["calls"][done]
    if call is not None:
        start = {"type": "tool_use", "id": f"toolu_{len(messages)}", "name": call[0], "input": {}}
        return start, {"type": "input_json_delta", "partial_json": json.dumps(call[1])}, "tool_use"
    if "gate" in asked:
        Path(asked["gate"]).read_bytes()
    return {"type": "text", "text": ""}, {"type": "text_delta", "text": LAST_WORDS}, "end_turn"


def usage(number: int) -> dict[str, Any]:
    """What the answer of this number took."""
    return {
        "input_tokens": 100 + number,
        "output_tokens": 1,
        "cache_creation_input_tokens": 2000 + number,
        "cache_read_input_tokens": 300 * number,
        "cache_creation": {"ephemeral_5m_input_tokens": 500 + number, "ephemeral_1h_input_tokens": 1500},
    }


def stream(request: dict[str, Any], number: int) -> bytes:
    """The server-sent events that answer one request; the number is the answer's."""
    start, delta, reason = block(request)
    message = {
        "id": f"msg_{number}",
        "type": "message",
        "role": "assistant",
        "model": request.get("model", "stand-in"),
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": usage(number),
    }
    stopped = {"stop_reason": reason, "stop_sequence": None}
    events: list[dict[str, Any]] = [
        {"type": "message_start", "message": message},
        {"type": "content_block_start", "index": 0, "content_block": start},
        {"type": "content_block_delta", "index": 0, "delta": delta},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": stopped, "usage": {"output_tokens": 40 + number}},
        {"type": "message_stop"},
    ]
    return "".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events).encode()


class Handler(BaseHTTPRequestHandler):
    """Answers the client's requests."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or b"{}")
        if self.path.partition("?")[0] != "/v1/messages" or not request.get("stream"):
            self._send(404, "application/json", _NO)
            return
        asked, _ = wanted(request.get("messages", []))
        if "status" in asked:
            error = {"type": "error", "error": {"type": "invalid_request_error", "message": "The test asks for this."}}
            self._send(asked["status"], "application/json", json.dumps(error).encode())
            return
        number = next(_NUMBERS)
        self._send(200, "text/event-stream", stream(request, number), f"req_{number}")

    def do_GET(self) -> None:
        self._send(404, "application/json", _NO)

    def do_HEAD(self) -> None:
        self._send(404, "application/json", b"")

    def _send(self, status: int, kind: str, body: bytes, request: str | None = None) -> None:
        self.send_response(status)
        if request is not None:
            self.send_header("request-id", request)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: the address is all that is read of this program."""


class StandIn(ThreadingHTTPServer):
    """The server; a request that waits at a gate does not keep it from ending."""

    daemon_threads = True
    block_on_close = False


def main() -> None:
    """Serve until the input ends."""
    with StandIn(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        print(f"http://127.0.0.1:{server.server_address[1]}", flush=True)
        sys.stdin.read()
        server.shutdown()


if __name__ == "__main__":
    main()
