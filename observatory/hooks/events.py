"""The names of Claude Code's hook events, and which of them to listen to. Data only.

Source: the client's own list (npm `@anthropic-ai/claude-code`, 2.1.331) and its hooks reference. A server
accepts any other name as well: the client adds some every few weeks.
"""

from __future__ import annotations

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
)
"""Every event name, in the client's order."""

REPLACING = frozenset({"WorktreeCreate"})
"""Events whose hook takes over the work instead of watching it: a listener there would break `--worktree`."""

YOUNG = frozenset({"PreModelSwitch", "PostModelSwitch", "DirectoryAdded"})
"""Events that 2.1.197 doesn't know. It ignores unknown names in settings.json, and rejects a plugin for them."""

LISTENED: tuple[str, ...] = tuple(name for name in ALL if name not in REPLACING)
"""What `install-hooks` installs."""

LISTENED_BY_PLUGIN: tuple[str, ...] = tuple(name for name in LISTENED if name not in YOUNG)
"""What the plugin listens to: the names that every client since 2.1.197 accepts in a plugin."""
