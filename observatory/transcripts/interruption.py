"""Whether the user has interrupted a turn: at Esc the client sends no event, and only its transcript says so.

Seen with Claude Code 2.1.197: the last message of the main agent is then the user's, and its text begins with `MARK`.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import msgspec

from observatory.transcripts.files import opened

if TYPE_CHECKING:
    from observatory.transcripts.files import Transcript

MARK: Final = "[Request interrupted by user"
TAIL: Final = 256 * 1024
"""Bytes of a transcript's end that are looked at. If its last message is longer, nothing is known."""


class _Message(msgspec.Struct, frozen=True):
    content: Any = None


class _Line(msgspec.Struct, frozen=True, rename="camel"):
    type: str = ""
    timestamp: str = ""
    is_sidechain: bool = False
    message: _Message | None = None


_decode: Final = msgspec.json.Decoder(_Line).decode


def interrupted(transcript: Transcript) -> datetime | None:
    """When the user interrupted the turn with which the transcript ends; `None` if it ends otherwise.

    Raises OSError if it can't be read.
    """
    with opened(transcript) as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - TAIL))
        lines = file.read(TAIL).split(b"\n")
    for line in reversed(lines):
        try:
            found = _decode(line)
            time = datetime.fromisoformat(found.timestamp)
        except (msgspec.DecodeError, ValueError, RecursionError):
            continue
        if found.message is None or found.is_sidechain or found.type not in {"user", "assistant"}:
            continue
        if found.type != "user" or not _text(found.message.content).startswith(MARK):
            return None
        return time if time.tzinfo is not None else time.replace(tzinfo=UTC)
    return None


def _text(content: object) -> str:
    """A message's text: it is one, or a list of blocks."""
    if isinstance(content, list):
        content = next((block.get("text") for block in content if isinstance(block, dict) and "text" in block), "")
    return content if isinstance(content, str) else ""
