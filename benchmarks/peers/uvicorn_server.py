"""uvicorn --uds with a bare ASGI application: reads an event, takes its JSON apart, answers, keeps nothing."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import msgspec
import uvicorn


async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """One event."""
    assert scope["type"] == "http"
    body, more = b"", True
    while more:
        message = await receive()
        body += message["body"]
        more = message["more_body"]
    msgspec.json.decode(body)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body"})


class Server(uvicorn.Server):
    """Says when it listens."""

    async def startup(self, sockets: Any = None) -> None:
        """As it is, and then a word."""
        await super().startup(sockets)
        print("listening", file=sys.stderr, flush=True)


config = uvicorn.Config(
    application, uds=sys.argv[1], http="httptools", lifespan="off", access_log=False, log_level="warning", backlog=4096
)
asyncio.run(Server(config).serve())
