"""The agents whose hooks send their events here: where each keeps its hooks, and what its events are called here. Data.

An event's name here is the one that Claude Code has for the same thing, so that states and views need no other; what
the client calls it stays in the event, as `hook_event_name`.

Sources: for Codex the schemas of its hooks' input (openai/codex, codex-rs/hooks/schema/generated) and `codex` 0.171.0,
for Gemini CLI its hooks reference (geminicli.com/docs/hooks/reference) and `gemini` 0.61.0, for Cursor what users of
its hooks have published of them (cursor.com/docs/agent/hooks was not at hand, and Cursor was not run).
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Client:
    """An agent: what a person calls it, its directory, the file in it, and its events."""

    title: str
    directory: str
    """In the home, and in a project."""
    variable: str | None
    """The environment's variable that names another one in place of the home's."""
    file: str
    ticks: int
    """How many of its units of a hook's time limit are a second."""
    events: Mapping[str, str]
    """What its events are called here. Empty: as Claude Code calls them, by its version."""
    flat: bool = False
    """Whether a hook stands by its event without a group around it, in a file that has a version."""

    def path(self, everywhere: bool) -> Path:
        """The directory of a scope: all sessions', or those in the current directory."""
        if not everywhere:
            return Path.cwd() / self.directory
        configured = None if self.variable is None else os.environ.get(self.variable)
        return Path(configured).absolute() if configured else Path.home() / self.directory


_CODEX: Final = (
    *("SessionStart", "SessionEnd", "UserPromptSubmit", "PreToolUse", "PermissionRequest", "PostToolUse", "Stop"),
    *("SubagentStart", "SubagentStop", "PreCompact", "PostCompact"),
)
_GEMINI: Final = {
    "SessionStart": "SessionStart",
    "SessionEnd": "SessionEnd",
    "BeforeAgent": "UserPromptSubmit",
    "AfterAgent": "Stop",
    "BeforeTool": "PreToolUse",
    "AfterTool": "PostToolUse",
    "Notification": "Notification",
}
"""Without BeforeModel, AfterModel and BeforeToolSelection, which carry the whole conversation, the second with every
piece of an answer, and without PreCompress, which comes before every request, whether anything is compressed or not."""

_CURSOR: Final = {
    "sessionStart": "SessionStart",
    "sessionEnd": "SessionEnd",
    "beforeSubmitPrompt": "UserPromptSubmit",
    "preToolUse": "PreToolUse",
    "postToolUse": "PostToolUse",
    "postToolUseFailure": "PostToolUseFailure",
    "subagentStart": "SubagentStart",
    "subagentStop": "SubagentStop",
    "preCompact": "PreCompact",
    "stop": "Stop",
}
"""Without the events before and after a shell command, an MCP tool or a change of a file, which come beside those of
tools, and without those that carry each piece of an answer and each file that is read."""

CLIENTS: Final[Mapping[str, Client]] = MappingProxyType(
    {
        "claude": Client("Claude Code", ".claude", "CLAUDE_CONFIG_DIR", "settings.json", 1, {}),
        "codex": Client("Codex", ".codex", "CODEX_HOME", "hooks.json", 1, {name: name for name in _CODEX}),
        "gemini": Client("Gemini CLI", ".gemini", None, "settings.json", 1000, _GEMINI),
        "cursor": Client("Cursor", ".cursor", None, "hooks.json", 1, _CURSOR, flat=True),
    }
)
