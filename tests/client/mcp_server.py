"""An MCP server whose only tool asks the user something (elicitation). Standard library only.

Source: Model Context Protocol, 2025-06-18: messages of JSON-RPC, one a line, on the standard streams.
"""

from __future__ import annotations

import json
import sys
from typing import Any

TOOL = {"name": "ask", "description": "Asks the user", "inputSchema": {"type": "object", "properties": {}}}
WANTED = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}


def say(**message: Any) -> None:
    print(json.dumps({"jsonrpc": "2.0", **message}), flush=True)


def main() -> None:
    """Until the input ends."""
    waiting: Any = None
    for line in sys.stdin:
        message = json.loads(line)
        method, number = message.get("method"), message.get("id")
        if method == "initialize":
            about = {"name": "asker", "version": "1"}
            version = message["params"]["protocolVersion"]
            say(id=number, result={"protocolVersion": version, "capabilities": {"tools": {}}, "serverInfo": about})
        elif method == "tools/list":
            say(id=number, result={"tools": [TOOL]})
        elif method == "tools/call":
            waiting = number
            say(id="q", method="elicitation/create", params={"message": "Who is it?", "requestedSchema": WANTED})
        elif number == "q":
            text = json.dumps(message.get("result", message.get("error")))
            say(id=waiting, result={"content": [{"type": "text", "text": text}]})
        elif number is not None:
            say(id=number, result={})


if __name__ == "__main__":
    main()
