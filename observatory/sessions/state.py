"""What state each Claude Code session is in, told from its events. Pure: events in, sessions out.

A session is a user's: its key is the uid that the kernel gave with the session id that the client gave, so nobody's
events can change another user's session. That a session is *dead* is the server's word alone (see
`observatory.sessions.lifetimes`), which has a field that no client can send.

A session is many things at once: the main agent, its subagents, tools under way, tasks in the background. Each event
is taken for the agent that it names, and what one agent does ends nothing of another's.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable

DEAD: Final = "SessionDead"
"""The name of the event that the server itself makes when a session's process ends without a SessionEnd."""

State = Literal[
    "fresh", "working", "running a tool", "waiting for permission", "waiting for an answer", "idle", "ended", "dead"
]
"""fresh: started, nothing asked yet. working: a model answers. idle: the turn is over, and no agent works. ended: it
said so itself. dead: the kernel reported the end of its process, and it had not said so."""

LATE: Final = 5.0
"""Seconds after a session's end in which an event may be a hook's that outlived it (the client gives a hook 2). What
comes later is of another process of that session, which lives."""
MOST: Final = 256
"""Tools under way, and waits, of one session that are remembered; the oldest are forgotten. The client reports no end
of some: of those that Esc has ended, say."""
QUESTION: Final = 200
"""Characters of a question."""

SILENCE: Final = 300.0
"""Seconds without an event after which a state that should end by itself, or by its user, is old news."""

OLD: Final = 12 * 3600.0
"""Seconds of silence after which a session that does nothing is not what anyone asks about."""

_OVER: Final = frozenset({"ended", "dead"})
_SETTLED: Final = _OVER | {"fresh", "idle"}
"""States that stay until somebody does something."""
_ASKING_TOOLS: Final = frozenset({"AskUserQuestion"})
"""Tools that do nothing but wait for the user's answer."""
_PERMISSIONS: Final = frozenset({"permission_prompt", "worker_permission_prompt", "ToolPermission"})
"""Types of notifications that tell of a wait for permission; the second is a teammate's, the last Gemini CLI's."""
_CHOICES: Final = frozenset({"elicitation_dialog", "elicitation_url_dialog", "agent_needs_input"})
"""Those that tell of a wait for an answer: a dialog in the terminal. The last is of any that no event has."""
_MAIN: Final = ""
"""The main agent, whose events name none."""


@dataclass(frozen=True, slots=True)
class Session:
    """One session as its events so far tell it.

    `uid` is `None` where the kernel could not translate it. `tool` is the tool that runs, or that waits for
    permission, and `agent` the type of the subagent whose it is, `None` for the main agent's. `question` is what is
    asked. `background` is how many tasks the last turn left running. `project` is the working directory that it last
    named. Times are RFC 3339 in UTC, as the server wrote them, `since` that of the event that led to this state; `pid`
    is known of a dead session only.
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
    since: str
    agent: str | None = None
    question: str | None = None
    background: int = 0
    interrupted: bool = False
    """Whether it is idle since its user has interrupted it. No event says so: see `observatory.transcripts`."""


@dataclass(frozen=True, slots=True)
class _Use:
    """A tool that an agent uses, or asks for."""

    agent: str
    tool: str
    question: str | None = None
    """What it asks; `None` if it asks for permission, or runs."""


class SessionReader:
    """One session, whose events are read one by one, in their order and in bounded memory."""

    def __init__(self, uid: int | None, session_id: str, started: str) -> None:
        self._uid = uid
        self._session_id = session_id
        self._started = started
        self._base: State = "fresh"
        self._running: OrderedDict[str, _Use] = OrderedDict()
        """Tools that were begun and not ended, by the id of their use."""
        self._waits: OrderedDict[str, _Use] = OrderedDict()
        """What waits for the user, by the id of the tool's use or another name."""
        self._agents: OrderedDict[str, str | None] = OrderedDict()
        """Subagents that were heard of and have not stopped: their types, by their ids."""
        self._outlasting: frozenset[str] = frozenset()
        """Those of them that the last turn left at work."""
        self._background = 0
        self._project: str | None = None
        self._last = self._last_event = ""
        self._pid: int | None = None
        self._told: tuple[State, _Use | None] = ("fresh", None)
        self._since = started

    def session(self) -> Session:
        """What is known now."""
        state, use = self._told
        return Session(
            self._uid,
            self._session_id,
            state,
            (use.tool or None) if use is not None and use.question is None else None,
            self._project,
            self._started,
            self._last,
            self._last_event,
            self._pid,
            self._since,
            None if use is None else self._agents.get(use.agent),
            (use.question or None) if use is not None else None,
            self._background,
        )

    def read(self, event: dict[str, Any]) -> None:
        """Take the next event."""
        name, time = str(event.get("_event")), str(event.get("_ts"))
        if self._base in _OVER and not self._revives(name, time):
            return
        self._last, self._last_event = time, name
        if isinstance(cwd := event.get("cwd"), str):
            self._project = cwd
        agent = event.get("agent_id")
        agent = agent if isinstance(agent, str) else _MAIN
        if agent != _MAIN:
            kind = event.get("agent_type")
            self._agents[agent] = kind[:QUESTION] if isinstance(kind, str) else self._agents.get(agent)
        self._take(name, agent, event)
        for bounded in (self._running, self._waits, self._agents):
            if len(bounded) > MOST:
                bounded.popitem(last=False)
        told = self._state()
        if told != self._told:
            self._told, self._since = told, time

    def _revives(self, name: str, time: str) -> bool:
        """Whether an event after the session's end says that it goes on; else it is of a hook that outlived it."""
        if name in {"SessionStart", "UserPromptSubmit"}:
            return True
        if name in {"SessionEnd", DEAD} or _seconds(self._last, time) <= LATE:
            return False
        self._base, self._pid = "working", None
        return True

    def _state(self) -> tuple[State, _Use | None]:
        if self._base in _OVER:
            return self._base, None
        if self._waits:
            use = next(reversed(self._waits.values()))
            return "waiting for permission" if use.question is None else "waiting for an answer", use
        if self._running:
            return "running a tool", next(reversed(self._running.values()))
        return ("working" if self._base == "idle" and self._agents else self._base), None

    def _take(self, name: str, agent: str, event: dict[str, Any]) -> None:
        tool = str(event.get("tool_name") or "")[:QUESTION]
        use = str(event.get("tool_use_id") or f"{agent} {tool}")
        match name:
            case "SessionStart":
                # A compacted conversation starts anew in the middle of a turn.
                if event.get("source") != "compact" or self._base in _OVER:
                    self._settle("fresh", self._outlasting if self._base not in _OVER else frozenset())
                    self._pid = None
            case "UserPromptSubmit":
                self._pid = None
                self._settle("working", self._outlasting)
            case "PreToolUse":
                if agent == _MAIN:
                    self._base = "working"
                self._running[use] = _Use(agent, tool)
                if tool in _ASKING_TOOLS:
                    self._waits[use] = _Use(agent, tool, _question(event))
            case "PermissionRequest":
                self._asks_for(agent, tool, event)
            case "PostToolUse" | "PostToolUseFailure" | "PermissionDenied":
                self._running.pop(use, None)
                self._answered(use, agent, tool)
            case "PostToolBatch":
                if agent == _MAIN:
                    self._base = "working"
                self._forget(agent)
            case "SubagentStop":
                self._agents.pop(agent, None)
                if agent != _MAIN:
                    self._forget(agent)
            case "Elicitation":
                self._waits[_elicited(event)] = _Use(agent, "", _one_line(event.get("message")))
            case "ElicitationResult":
                self._waits.pop(_elicited(event), None)
            case "Notification":
                self._notice(event)
            case "Stop" | "StopFailure":
                tasks = event.get("background_tasks")
                self._background = len(tasks) if isinstance(tasks, list) else 0
                self._outlasting = _left_at_work(tasks, self._agents)
                self._settle("idle", self._outlasting)
            case "SessionEnd" if event.get("_session_pids"):
                # One of its processes has ended, and the kernel knows of others.
                self._settle("idle", self._outlasting)
            case "SessionEnd":
                self._settle("ended", frozenset())
            case _ if name == DEAD and isinstance(event.get("_session_pid"), int):
                self._settle("dead", frozenset())
                self._pid = event["_session_pid"]

    def _settle(self, base: State, agents: frozenset[str]) -> None:
        """The main agent runs nothing and waits for nothing; of the others these go on."""
        self._base = base
        for agent in [_MAIN, *(agent for agent in self._agents if agent not in agents)]:
            self._forget(agent)
            self._agents.pop(agent, None)
        if base in _OVER or base == "fresh":
            self._background = 0

    def _forget(self, agent: str) -> None:
        """An agent runs nothing, and waits for nothing."""
        for uses in (self._running, self._waits):
            for use in [use for use, found in uses.items() if found.agent == agent]:
                del uses[use]

    def _asks_for(self, agent: str, tool: str, event: dict[str, Any]) -> None:
        """The use of a tool takes permission: which one the client doesn't say, so it's the latest that fits."""
        fitting = (use for use, found in reversed(self._running.items()) if (found.agent, found.tool) == (agent, tool))
        given = event.get("tool_use_id")
        use = given if isinstance(given, str) else next((u for u in fitting if u not in self._waits), f"{agent} {tool}")
        if tool in _ASKING_TOOLS:
            if not any((found.agent, found.tool) == (agent, tool) for found in self._waits.values()):
                self._waits[use] = _Use(agent, tool, _question(event))
        else:
            self._waits[use] = _Use(agent, tool)
        self._waits.pop(_MAIN, None)

    def _answered(self, use: str, agent: str, tool: str) -> None:
        """The use of a tool has ended, and so has its wait, or one that the client told of in general."""
        self._waits.pop(_MAIN, None)
        if self._waits.pop(use, None) is None and not self._running_of(agent, tool):
            self._waits.pop(f"{agent} {tool}", None)

    def _running_of(self, agent: str, tool: str) -> bool:
        return any((found.agent, found.tool) == (agent, tool) for found in self._running.values())

    def _notice(self, event: dict[str, Any]) -> None:
        """A notification says that the client waits. Older clients say for what in words only."""
        kind, message = event.get("notification_type"), str(event.get("message", ""))
        if kind in _PERMISSIONS or (kind is None and "permission" in message):
            if not self._waits:
                self._waits[_MAIN] = _Use(_MAIN, "")
        elif kind in _CHOICES:
            if not self._waits:
                self._waits[_MAIN] = _Use(_MAIN, "", _one_line(message))
        elif kind == "idle_prompt" or (kind is None and "waiting for your input" in message):
            self._settle("idle", frozenset(self._agents))


def sessions(events: Iterable[dict[str, Any]]) -> list[Session]:
    """The sessions that these events tell of, the one with the latest event first. Events come in their order."""
    readers: dict[tuple[int | None, str], SessionReader] = {}
    for event in events:
        session_id = event.get("session_id")
        if not isinstance(session_id, str) or not session_id:
            continue
        uid = event.get("_peer_uid")
        reader = readers.pop((uid, session_id), None) or SessionReader(uid, session_id, str(event.get("_ts")))
        readers[(uid, session_id)] = reader  # now the last: a dict keeps the order of insertion
        reader.read(event)
    return [reader.session() for reader in reversed(readers.values())]


def is_silent(state: str, last: int, now: int) -> bool:
    """Whether a state is to be told with how long nothing was heard. Times are milliseconds since the epoch."""
    return state not in _SETTLED and now - last > SILENCE * 1000


def is_old(state: str, last: int, now: int) -> bool:
    """Whether a session does nothing, waits for nobody, and has been silent for so long that only those see it who ask.

    Times are milliseconds since the epoch.
    """
    return state in _SETTLED and now - last > OLD * 1000


def _left_at_work(tasks: object, agents: Iterable[str]) -> frozenset[str]:
    """Those of the agents that are among a turn's background tasks."""
    named = {str(task.get("id")) for task in tasks if isinstance(task, dict)} if isinstance(tasks, list) else set()
    return frozenset(agent for agent in agents if agent in named)


def _question(event: dict[str, Any]) -> str:
    """What a tool asks its user: the first question."""
    given = event.get("tool_input")
    asked = given.get("questions") if isinstance(given, dict) else None
    first = asked[0] if isinstance(asked, list) and asked else None
    return _one_line(first.get("question")) if isinstance(first, dict) else ""


def _elicited(event: dict[str, Any]) -> str:
    return f"elicitation {event.get('mcp_server_name') or ''}"[:QUESTION]


def _one_line(text: object) -> str:
    return " ".join(text[: 4 * QUESTION].split())[:QUESTION] if isinstance(text, str) else ""


def _seconds(earlier: str, later: str) -> float:
    try:
        return (datetime.fromisoformat(later) - datetime.fromisoformat(earlier)).total_seconds()
    except (ValueError, TypeError):
        return 0.0
