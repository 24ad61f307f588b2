"""One session told as a conversation: its turns, the agents in each by name, their tools, and what was said.

A tree of steps in the order of the events, each with the event that began it, and who the kernel says sent that. Pure:
events in, steps out. What the client reports no end of stays open.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec

from observatory.feed.row import duration, milliseconds
from observatory.feed.summary import what
from observatory.sessions.state import DEAD

if TYPE_CHECKING:
    from collections.abc import Iterable

SAID: Final = 4000
"""Characters that are told of what was said, or of a tool's result."""
NAME: Final = 80
"""Characters of a name."""

What = Literal["turn", "agent", "tool", "words", "wait", "note"]


class Step(msgspec.Struct):
    """Something that happened, and what happened in it.

    `name` is a tool's, an agent's type, or an event's; `text` what it was about, `result` what came of it. `ended` is
    the place of the event that ended it, `None` if none has; `took` milliseconds.
    """

    kind: What
    place: int
    time: int
    name: str
    text: str
    pid: int | None
    uid: int | None
    result: str = ""
    failed: bool = False
    ended: int | None = None
    took: int | None = None
    steps: list[Step] = []


class Conversation(msgspec.Struct):
    """A session's steps. `process` names its process and its parents, the nearest first, as the kernel has them."""

    session: str
    project: str
    transcript: str
    process: list[str]
    events: list[tuple[int, int]]
    """The place and the time of each event, for a replay."""
    steps: list[Step]


class _Reader:
    def __init__(self) -> None:
        self.steps: list[Step] = []
        self._turn: Step | None = None
        self._agents: dict[str, Step] = {}
        self._tools: dict[str, Step] = {}
        self._waits: dict[str, Step] = {}

    def read(self, place: int, event: dict[str, Any]) -> None:
        name, agent = _text(event.get("_event"), NAME), _text(event.get("agent_id"), NAME)
        tool = _text(event.get("tool_name"), NAME)
        use = f"{agent} {_text(event.get('tool_use_id'), NAME) or tool}"
        match name:
            case "UserPromptSubmit":
                self._turn = None
                self._turn = self._add(self.steps, "turn", place, event, "", _text(event.get("prompt"), SAID))
            case "PreToolUse":
                self._tools[use] = self._add(
                    self._place_of(agent, place, event), "tool", place, event, tool, what(event)
                )
            case "PostToolUse" | "PostToolUseFailure" | "PermissionDenied":
                step = self._tools.pop(use, None)
                if step is None:
                    step = self._add(self._place_of(agent, place, event), "tool", place, event, tool, what(event))
                step.failed = name != "PostToolUse"
                step.result = _text(event.get("error") or event.get("reason"), SAID) if step.failed else _result(event)
                self._end(step, place, event)
                self._answered(agent, place, event)
            case "PermissionRequest":
                steps = self._place_of(agent, place, event)
                self._waits[agent] = self._add(steps, "wait", place, event, tool, what(event))
            case "MessageDisplay":
                self._say(self._place_of(agent, place, event), place, event, _text(event.get("delta"), SAID))
            case "SubagentStart":
                self._agent(agent, place, event)
            case "SubagentStop":
                step = self._agent(agent, place, event)
                step.result = _text(event.get("last_assistant_message"), SAID)
                self._end(step, place, event)
            case "Stop" | "StopFailure":
                self._stop(name, place, event)
            case "PostToolBatch":
                pass
            case _:
                text = what(event) if name != DEAD else "The kernel reported the end of its process."
                self._add(self._place_of(agent, place, event), "note", place, event, name, text)

    def _stop(self, name: str, place: int, event: dict[str, Any]) -> None:
        steps = self.steps if self._turn is None else self._turn.steps
        said = _text(event.get("last_assistant_message") or event.get("prompt_response"), SAID)
        if said and not any(step.kind == "words" and step.text == said for step in steps[-3:]):
            self._say(steps, place, event, said)
        if name == "StopFailure":
            self._add(steps, "note", place, event, name, what(event)).failed = True
        self._answered("", place, event)
        if self._turn is not None:
            self._turn.failed = name == "StopFailure"
            self._end(self._turn, place, event)

    def _place_of(self, agent: str, place: int, event: dict[str, Any]) -> list[Step]:
        if agent:
            return self._agent(agent, place, event).steps
        return self.steps if self._turn is None or self._turn.ended is not None else self._turn.steps

    def _agent(self, agent: str, place: int, event: dict[str, Any]) -> Step:
        step = self._agents.get(agent)
        kind = _text(event.get("agent_type"), NAME)
        if step is None:
            step = self._agents[agent] = self._add(self._place_of("", place, event), "agent", place, event, kind, "")
        step.name = step.name or kind or agent
        return step

    def _say(self, steps: list[Step], place: int, event: dict[str, Any], text: str) -> None:
        if steps and steps[-1].kind == "words" and event.get("_event") == "MessageDisplay":
            steps[-1].text = (steps[-1].text + text)[:SAID]
        else:
            self._add(steps, "words", place, event, "", text)

    def _answered(self, agent: str, place: int, event: dict[str, Any]) -> None:
        wait = self._waits.pop(agent, None)
        if wait is not None:
            self._end(wait, place, event)

    def _add(self, steps: list[Step], kind: What, place: int, event: dict[str, Any], name: str, text: str) -> Step:
        pid, uid = event.get("_peer_pid"), event.get("_peer_uid")
        step = Step(
            *(kind, place, milliseconds(event.get("_ts")), name, text),
            pid if isinstance(pid, int) else None,
            uid if isinstance(uid, int) else None,
        )
        steps.append(step)
        return step

    @staticmethod
    def _end(step: Step, place: int, event: dict[str, Any]) -> None:
        step.ended = place
        said = duration(event) if step.kind == "tool" else None
        step.took = said if said is not None else max(0, milliseconds(event.get("_ts")) - step.time)


def conversation(session: str, events: Iterable[tuple[int, dict[str, Any]]]) -> Conversation:
    """The conversation of one session's events, each with its place, in their order. Takes every event."""
    reader = _Reader()
    told = Conversation(session, "", "", [], [], reader.steps)
    for place, event in events:
        told.project = _text(event.get("cwd"), SAID) or told.project
        told.transcript = _text(event.get("transcript_path"), SAID) or told.transcript
        told.process = told.process or _process(event.get("_peer_process"))
        told.events.append((place, milliseconds(event.get("_ts"))))
        reader.read(place, event)
    return told


def _process(said: object) -> list[str]:
    """The session's process and its parents: what the server itself has read."""
    if not isinstance(said, dict) or not isinstance(said.get("ancestors"), list):
        return []
    return [f"{each.get('comm')} ({each.get('pid')})" for each in said["ancestors"] if isinstance(each, dict)]


def _result(event: dict[str, Any]) -> str:
    """What came of a tool: its text where it has one, else what it says as JSON."""
    said = event.get("tool_response")
    if isinstance(said, dict):
        for field in ("stdout", "returnDisplay", "content", "result", "text"):
            if isinstance(said.get(field), str):
                tail = said.get("stderr")
                return _text(said[field] + (tail if isinstance(tail, str) else ""), SAID)
    if said is None or isinstance(said, str):
        return _text(said, SAID)
    return msgspec.json.encode(said)[:SAID].decode(errors="ignore")


def _text(value: object, most: int) -> str:
    return value[:most] if isinstance(value, str) else ""
