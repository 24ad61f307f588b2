"""Lines as Claude Code 2.1.197 writes them, less what nobody reads."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

USAGE = {
    "input_tokens": 100,
    "cache_creation_input_tokens": 2000,
    "cache_read_input_tokens": 3000,
    "output_tokens": 40,
    "server_tool_use": {"web_search_requests": 0, "web_fetch_requests": 0},
    "service_tier": "standard",
    "cache_creation": {"ephemeral_1h_input_tokens": 1500, "ephemeral_5m_input_tokens": 500},
    "inference_geo": "",
    "iterations": [],
    "speed": "standard",
}


@pytest.fixture
def line() -> Callable[..., bytes]:
    """An answer's line; `usage` and others replace what it has."""

    def made(
        number: int = 1, *, usage: dict[str, Any] | None = None, model: str = "claude-opus-4-8", **more: object
    ) -> bytes:
        message = {
            "id": f"msg_{number}",
            "type": "message",
            "role": "assistant",
            "model": model,
            "content": [{"type": "text", "text": "Words."}],
            "usage": {**USAGE, **(usage or {})},
        }
        said = {
            "parentUuid": None,
            "isSidechain": False,
            "message": message,
            "requestId": f"req_{number}",
            "type": "assistant",
            "uuid": f"uuid-{number}",
            "timestamp": f"2026-11-29T10:38:{number:02d}.950Z",
            "sessionId": "0f988d6d-0df8-4dc7-b68c-799843ede699",
            **more,
        }
        return json.dumps(said, separators=(",", ":")).encode() + b"\n"

    return made
