"""The names of Claude Code's hook events, since when the client has them, and which to listen to. Data only.

Source: the client's own list (npm `@anthropic-ai/claude-code`, 2.1.332), its hooks reference and its changelog. A
server accepts any other name as well: the client adds some every few weeks.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

ALL: tuple[str, ...] = (
    "PreToolUse",
    "PostToolUse",
    "PostToolUseFailure",
    "PostToolBatch",
    "Notification",
    "UserPromptSubmit",
    "UserPromptExpansion",
    "SessionStart",
    "SessionEnd",
    "Stop",
    "StopFailure",
    "SubagentStart",
    "SubagentStop",
    "PreCompact",
    "PostCompact",
    "PreModelSwitch",
    "PostModelSwitch",
    "PermissionRequest",
    "PermissionDenied",
    "Setup",
    "TeammateIdle",
    "TaskCreated",
    "TaskCompleted",
    "Elicitation",
    "ElicitationResult",
    "ConfigChange",
    "WorktreeCreate",
    "WorktreeRemove",
    "InstructionsLoaded",
    "CwdChanged",
    "FileChanged",
    "DirectoryAdded",
    "MessageDisplay",
    "PreSkillShellCommand",
)
"""Every event name, in the client's order."""

REPLACING = frozenset({"WorktreeCreate"})
"""Events whose hook takes over the work instead of watching it: a listener there would break `--worktree`."""

Version = tuple[int, int, int]

SINCE: Mapping[str, Version] = MappingProxyType(
    {
        "TeammateIdle": (2, 1, 33),
        "TaskCompleted": (2, 1, 33),
        "ConfigChange": (2, 1, 49),
        "WorktreeRemove": (2, 1, 50),
        "InstructionsLoaded": (2, 1, 69),
        "PostCompact": (2, 1, 76),
        "Elicitation": (2, 1, 76),
        "ElicitationResult": (2, 1, 76),
        "StopFailure": (2, 1, 78),
        "CwdChanged": (2, 1, 83),
        "FileChanged": (2, 1, 83),
        "TaskCreated": (2, 1, 84),
        "PermissionDenied": (2, 1, 89),
        "MessageDisplay": (2, 1, 152),
        "DirectoryAdded": (2, 1, 220),
        "PreModelSwitch": (2, 1, 251),
        "PostModelSwitch": (2, 1, 251),
        "PreSkillShellCommand": (2, 1, 332),
    }
)
"""The first version that has an event, where that is known and not long ago.

A client asks its user at every start what to do about a name in settings.json that it doesn't know (without a
terminal it says nothing), and it rejects a plugin for one.
"""

OLDEST_FOR_PLUGIN: Version = (2, 1, 197)
"""The plugin is one for all, so it names the events of this version only."""


def listened(version: Version | None) -> tuple[str, ...]:
    """The events to listen to with a client of that version; with `None`, all."""
    names = (name for name in ALL if name not in REPLACING)
    return tuple(name for name in names if version is None or SINCE.get(name, version) <= version)
