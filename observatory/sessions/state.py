"""What state each Claude Code session is in, told from its events. Pure: events in, sessions out.

A session is a user's: its key is the uid that the kernel gave with the session id that the client gave, so nobody's
events can change another user's session. That a session is *dead* is the server's word alone (see
`observatory.sessions.lifetimes`), which has a field that no client can send.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable

DEAD: Final = "SessionDead"
"""The name of the event that the server itself makes when a session's process ends without a SessionEnd."""

State = Literal[
    "fresh", "working", "running a tool", "waiting for permission", "waiting for input", "idle", "ended", "dead"
]
"""fresh: started, nothing asked yet. working: the model answers. idle: the turn is over. ended: it said so itself.
dead: the kernel reported the end of its process, and it had not said so."""

_OVER: Final = frozenset({"ended", "dead"})
_ASKING_TOOLS: Final = frozenset({"AskUserQuestion"})
"""Tools that do nothing but wait for the user's answer."""


@dataclass(frozen=True, slots=True)
class Session:
    """One session as its events so far tell it.

    `uid` is `None` where the kernel could not translate it. `tool` is the tool that runs, or that waits for
    permission. `project` is the working directory that it last named. Times are RFC 3339 in UTC, as the server
    wrote them; `pid` is known of a dead session only.
    """

    uid: int | None
    session_id: str
    state: State
    tool: str | None
    project: str | None
    started: str
    last: str
    last_event: str
    pid: int | None


@dataclass(slots=True)
class _PartialSession:
    """What is remembered of one session while its events are read."""

    started: str
    base: State = "fresh"
    running: dict[str, str] = field(default_factory=dict[str, str])
    """Tools that were begun and not ended: their names, by the id of their use."""
    wants_permission: str | None = None
    asks: bool = False
    project: str | None = None
    last: str = ""
    last_event: str = ""
    pid: int | None = None

    def settle(self, base: State) -> None:
        """Nothing runs, nothing is waited for."""
        self.base = base
        self.running.clear()
        self.wants_permission = None
        self.asks = False


def sessions(events: Iterable[dict[str, Any]]) -> list[Session]:
    """The sessions that these events tell of, the one with the latest event first. Events come in their order."""
    partial: dict[tuple[int | None, str], _PartialSession] = {}
    for event in events:
        session_id = event.get("session_id")
        if not isinstance(session_id, str) or not session_id:
            continue
        key = (event.get("_peer_uid"), session_id)
        so_far = partial.pop(key, None) or _PartialSession(started=str(event.get("_ts")))
        partial[key] = so_far  # now the last: a dict keeps the order of insertion
        _read(so_far, event)
    return [_session(uid, session_id, so_far) for (uid, session_id), so_far in reversed(partial.items())]


def _session(uid: int | None, session_id: str, so_far: _PartialSession) -> Session:
    state: State = so_far.base
    tool: str | None = None
    if state not in _OVER:
        if so_far.wants_permission is not None:
            state, tool = "waiting for permission", so_far.wants_permission or None
        elif so_far.asks:
            state = "waiting for input"
        elif so_far.running:
            state, tool = "running a tool", list(so_far.running.values())[-1]
    return Session(
        uid,
        session_id,
        state,
        tool,
        so_far.project,
        so_far.started,
        so_far.last,
        so_far.last_event,
        so_far.pid,
    )


def _read(so_far: _PartialSession, event: dict[str, Any]) -> None:
    name = str(event.get("_event"))
    if so_far.base in _OVER and name != "SessionStart":
        return  # a hook that outlived its session
    so_far.last, so_far.last_event = str(event.get("_ts")), name
    if isinstance(cwd := event.get("cwd"), str):
        so_far.project = cwd
    tool = str(event.get("tool_name") or "")
    use = str(event.get("tool_use_id") or tool)
    match name:
        case "SessionStart":
            # A compacted conversation starts anew in the middle of a turn.
            if event.get("source") != "compact" or so_far.base in _OVER:
                so_far.settle("fresh")
                so_far.pid = None
        case "UserPromptSubmit":
            so_far.settle("working")
        case "PreToolUse":
            so_far.base = "working"
            so_far.running[use] = tool
            so_far.asks = so_far.asks or tool in _ASKING_TOOLS
        case "PermissionRequest":
            so_far.wants_permission = tool
        case "PostToolUse" | "PostToolUseFailure" | "PermissionDenied":
            so_far.running.pop(use, None)
            so_far.wants_permission = None
            so_far.asks = False
        case "PostToolBatch":
            so_far.settle("working")
        case "Elicitation":
            so_far.asks = True
        case "ElicitationResult":
            so_far.asks = False
        case "Notification":
            _notice(so_far, event)
        case "Stop" | "StopFailure":
            so_far.settle("idle")
        case "SessionEnd":
            so_far.settle("ended")
        case _ if name == DEAD and isinstance(event.get("_session_pid"), int):
            so_far.settle("dead")
            so_far.pid = event["_session_pid"]


def _notice(so_far: _PartialSession, event: dict[str, Any]) -> None:
    """A notification says that the client waits. Older clients say for what in words only."""
    kind, message = event.get("notification_type"), str(event.get("message", ""))
    if kind == "permission_prompt" or (kind is None and "permission" in message):
        so_far.wants_permission = so_far.wants_permission or ""
    elif kind in {"idle_prompt", "elicitation_dialog"} or (kind is None and "waiting for your input" in message):
        if kind != "elicitation_dialog":
            so_far.settle("idle")
        so_far.asks = True
