"""An event as one line that a person reads: when, what, by whom, and the one thing that tells it from others."""

from __future__ import annotations

from datetime import datetime
from enum import IntEnum
from typing import Any, Final

import msgspec

from observatory.feed.summary import WHAT, what
from observatory.identity.names import user_of_row
from observatory.sessions.state import DEAD

LONGEST: Final = 10**12
"""Milliseconds that a tool may have taken: more is no duration."""
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
    took: int | None
    """Milliseconds, as the client says, of a tool that has ended."""


def row(place: int, event: dict[str, Any]) -> Row:
    """The line of an event. Takes every event, whatever its sender put into it."""
    name = _name(event.get("_event"))
    host = event.get("_host")
    uid = event.get("_peer_uid")
    uid = uid if isinstance(uid, int) else None
    return Row(
        place,
        milliseconds(event.get("_ts")),
        name,
        _KINDS.get(name, Kind.OTHER),
        uid,
        # A uid is a user of the machine that said it, and names are those of this one.
        user_of_row(uid) if host is None else str("?" if uid is None else uid),
        _name(event.get("session_id")),
        _name(event.get("tool_name")),
        what(event),
        str(event.get("cwd") or "")[:WHAT],
        None if host is None else str(host)[:NAME],
        duration(event),
    )


def duration(event: dict[str, Any]) -> int | None:
    """How long a tool took, in milliseconds, as its client says."""
    value = event.get("duration_ms")
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return None
    return round(value) if 0 <= value < LONGEST else None


def took(milliseconds: int | None) -> str:
    """A duration for people: `85ms`, `2.5s`, `1m21s`, `2h05m`; nothing for none."""
    if milliseconds is None:
        return ""
    if milliseconds < 1000:
        return f"{milliseconds}ms"
    seconds = milliseconds / 1000
    if seconds < 9.95:
        return f"{seconds:.1f}s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    minutes, rest = divmod(whole, 60)
    return f"{minutes}m{rest:02d}s" if minutes < 60 else f"{minutes // 60}h{minutes % 60:02d}m"


def _name(value: object) -> str:
    return value[:NAME] if isinstance(value, str) else ""


def milliseconds(text: object) -> int:
    """A time in RFC 3339 as milliseconds since the epoch; 0 for what is no time."""
    try:
        return int(datetime.fromisoformat(str(text)).timestamp() * 1000)
    except ValueError:
        return 0
