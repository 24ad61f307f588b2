"""The one thing in an event that a person would want to see of it, on one line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

WHAT: Final = 200
"""Characters of an event's summary."""
PATH: Final = 80
"""Characters of a path in it: of a longer one the middle is left out."""

_PATHS: Final = frozenset({"file_path", "notebook_path", "path", "filePath", "new_cwd", "worktree_path", "directory"})
_TELLING: Final = (
    *(
        "command",
        "file_path",
        "notebook_path",
        "pattern",
        "url",
        "query",
        "description",
        "prompt_response",
        "prompt",
        "error",
    ),
    *("message", "reason", "source", "trigger", "last_assistant_message", "agent_type", "_value", "_raw"),
)
"""Fields that tell what it is about in most events and tools, the most telling first."""
_EVENTS: Final[Mapping[str, tuple[str, ...]]] = {
    "MessageDisplay": ("delta",),
    "StopFailure": ("error", "error_details"),
    "UserPromptExpansion": ("command_name", "command_args"),
    "SessionStart": ("source", "model"),
    "SubagentStop": ("agent_type", "last_assistant_message"),
    "PreCompact": ("trigger", "custom_instructions"),
    "PostCompact": ("trigger", "compact_summary"),
    "TeammateIdle": ("teammate_name",),
    "TaskCreated": ("task_subject",),
    "TaskCompleted": ("task_subject",),
    "Elicitation": ("mcp_server_name", "message"),
    "ElicitationResult": ("mcp_server_name", "action"),
    "ConfigChange": ("source", "file_path"),
    "InstructionsLoaded": ("file_path", "load_reason"),
    "CwdChanged": ("new_cwd",),
    "FileChanged": ("event", "file_path"),
    "WorktreeCreate": ("name",),
    "WorktreeRemove": ("worktree_path",),
    "DirectoryAdded": ("directory", "source"),
    "PreModelSwitch": ("from_model", "to_model", "source"),
    "PostModelSwitch": ("from_model", "to_model", "source"),
}
_TOOLS: Final[Mapping[str, tuple[str, ...]]] = {
    "Skill": ("skill", "args"),
    "Agent": ("subagent_type", "description"),
    "Task": ("subagent_type", "description"),
    "Grep": ("pattern", "path"),
    "Glob": ("pattern", "path"),
    "LSP": ("operation", "filePath"),
    "ExitPlanMode": ("plan",),
    "SendMessage": ("to", "summary"),
    "TaskCreate": ("subject",),
    "TaskUpdate": ("taskId", "status"),
    "CronCreate": ("cron", "prompt"),
}
"""Fields that are shown of these events and of these tools' inputs, where they have them."""
_COMMON: Final = frozenset(
    {"session_id", "transcript_path", "cwd", "permission_mode", "hook_event_name", "prompt_id", "tool_name"}
    | {"tool_input", "tool_use_id", "tool_response", "agent_id", "agent_type", "duration_ms", "effort", "turn_id"}
)
"""Fields that tell nothing of what an event is about."""


def what(event: Mapping[str, Any]) -> str:
    """The summary. Takes every event, whatever its sender put into it."""
    name, given = str(event.get("_event")), event.get("tool_input")
    about = _tool(str(event.get("tool_name") or ""), given) if isinstance(given, dict) else ""
    if name in {"PostToolUseFailure", "PermissionDenied"}:
        why = _text(event.get("error") or event.get("reason"))
        parts = [why, about]
    elif name == "PreSkillShellCommand":
        parts = [about, _text(event.get("command_name"))]
    elif about:
        parts = [about]
    elif name == "PostToolBatch":
        parts = [_batch(event.get("tool_calls"))]
    else:
        parts = _some(event, _EVENTS.get(name, ())) or _first(event) or [_pairs(event)]
    return " \u00b7 ".join(filter(None, parts))[:WHAT]


def _tool(tool: str, given: Mapping[str, Any]) -> str:
    """What a tool was asked to do."""
    if tool.startswith("mcp__"):
        return _pairs(given)
    own = _OWN.get(tool)
    found = [own(given)] if own is not None else _some(given, _TOOLS.get(tool, ()))
    return " \u00b7 ".join(filter(None, found or _first(given))) or _pairs(given)


def _questions(given: Mapping[str, Any]) -> str:
    return " \u00b7 ".join(_text(each.get("question")) for each in _objects(given.get("questions")))


def _todos(given: Mapping[str, Any]) -> str:
    todos = _objects(given.get("todos"))
    now = [each for each in todos if each.get("status") == "in_progress"] or todos[:1]
    return " \u00b7 ".join(_text(each.get("content")) for each in now)


_OWN: Final[Mapping[str, Callable[[Mapping[str, Any]], str]]] = {"AskUserQuestion": _questions, "TodoWrite": _todos}
"""Tools whose input takes more than to name a field."""


def _batch(calls: object) -> str:
    return ", ".join(filter(None, (_text(each.get("tool_name")) for each in _objects(calls))))


def _some(place: Mapping[str, Any], fields: tuple[str, ...]) -> list[str]:
    """These fields, as far as they say something."""
    return [text for field in fields if (text := _field(place, field))]


def _first(place: Mapping[str, Any]) -> list[str]:
    return next(([text] for field in _TELLING if (text := _field(place, field))), [])


def _field(place: Mapping[str, Any], field: str) -> str:
    text = _text(place.get(field))
    return _short(text) if field in _PATHS else text


def _pairs(place: Mapping[str, Any]) -> str:
    """All that is said, as `name=value`, less what every event has."""
    pairs: list[str] = []
    for name, value in place.items():
        if name.startswith("_") or name in _COMMON or isinstance(value, (dict, list)) or value in (None, ""):
            continue
        pairs.append(f"{name[:PATH]}={_text(value) or value}")
        if sum(map(len, pairs)) > WHAT:
            break
    return " ".join(pairs)


def _text(value: object) -> str:
    """A text on one line; nothing for what is no text."""
    # Cut first: a body may have megabytes.
    return " ".join(value[: 4 * WHAT].split())[:WHAT] if isinstance(value, str) else ""


def _objects(value: object) -> list[dict[str, Any]]:
    return [each for each in value[:WHAT] if isinstance(each, dict)] if isinstance(value, list) else []


def _short(path: str) -> str:
    if len(path) <= PATH:
        return path
    head = PATH // 3
    return f"{path[:head]}\u2026{path[head + 1 - PATH :]}"
