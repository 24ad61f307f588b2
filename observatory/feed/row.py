"""An event as one line that a person reads: when, what, by whom, and the one thing that tells it from others."""

from __future__ import annotations

import functools
from datetime import datetime
from enum import IntEnum
from typing import Any, Final

import msgspec

from observatory.identity.names import user_name
from observatory.sessions.state import DEAD

WHAT: Final = 200
"""Characters of an event's summary."""
NAME: Final = 80
"""Characters of a name that its sender chose: of an event, a tool, a session."""


class Kind(IntEnum):
    """What sort of thing happened, for colours and for counting."""

    OTHER = 0
    PROMPT = 1
    TOOL = 2
    WAITING = 3
    TURN = 4
    SESSION = 5
    FAILURE = 6


_KINDS: Final = {
    "UserPromptSubmit": Kind.PROMPT,
    "UserPromptExpansion": Kind.PROMPT,
    "PreToolUse": Kind.TOOL,
    "PostToolUse": Kind.TOOL,
    "PostToolBatch": Kind.TOOL,
    "PermissionRequest": Kind.WAITING,
    "Notification": Kind.WAITING,
    "Elicitation": Kind.WAITING,
    "Stop": Kind.TURN,
    "SubagentStart": Kind.TURN,
    "SubagentStop": Kind.TURN,
    "SessionStart": Kind.SESSION,
    "SessionEnd": Kind.SESSION,
    "PostToolUseFailure": Kind.FAILURE,
    "StopFailure": Kind.FAILURE,
    "PermissionDenied": Kind.FAILURE,
    DEAD: Kind.FAILURE,
}


class Row(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One event's line. `place` is its place in its source, `time` milliseconds since the epoch, UTC.

    `uid` is `None` where the kernel could not translate it; `user` is its name on this machine, or the number.
    `host` is `None` for events of this machine.
    """

    place: int
    time: int
    event: str
    kind: Kind
    uid: int | None
    user: str
    session: str
    tool: str
    what: str
    project: str
    host: str | None


def row(place: int, event: dict[str, Any]) -> Row:
    """The line of an event. Takes every event, whatever its sender put into it."""
    name = _name(event.get("_event"))
    host = event.get("_host")
    uid = event.get("_peer_uid")
    uid = uid if isinstance(uid, int) else None
    return Row(
        place,
        _milliseconds(event.get("_ts")),
        name,
        _KINDS.get(name, Kind.OTHER),
        uid,
        # A uid is a user of the machine that said it, and names are those of this one.
        _user(uid) if host is None else str("?" if uid is None else uid),
        _name(event.get("session_id")),
        _name(event.get("tool_name")),
        what(event),
        str(event.get("cwd") or "")[:WHAT],
        None if host is None else str(host)[:NAME],
    )


def what(event: dict[str, Any]) -> str:
    """The one thing in an event that a person would want to see of it, on one line."""
    details = event.get("tool_input")
    for place in (details, event):
        if isinstance(place, dict):
            for key in _TELLING:
                value = place.get(key)
                if isinstance(value, str) and value and not value.isspace():
                    # Cut first: a body may have megabytes.
                    return " ".join(value[: 4 * WHAT].split())[:WHAT]
    return ""


_TELLING: Final = (
    *("command", "file_path", "notebook_path", "pattern", "url", "query", "description", "prompt", "error"),
    *("message", "reason", "source", "trigger", "last_assistant_message", "agent_type", "_value", "_raw"),
)


def _name(value: object) -> str:
    return value[:NAME] if isinstance(value, str) else ""


@functools.lru_cache(maxsize=1024)
def _user(uid: int | None) -> str:
    return user_name(uid)


def _milliseconds(text: object) -> int:
    try:
        return int(datetime.fromisoformat(str(text)).timestamp() * 1000)
    except ValueError:
        return 0
