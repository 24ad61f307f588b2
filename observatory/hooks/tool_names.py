"""The names of Claude Code's own tools. Data only.

Source: the client's tools reference (2.1.331). Tools of MCP servers have names that begin with `mcp__`, and a server
accepts every name: the client adds some every few weeks.
"""

from __future__ import annotations

ALL: tuple[str, ...] = (
    *("Agent", "AskUserQuestion", "Bash", "BashOutput", "CronCreate", "CronDelete", "CronList", "Edit"),
    *("EnterPlanMode", "EnterWorktree", "ExitPlanMode", "ExitWorktree", "Glob", "Grep", "KillShell", "LSP"),
    *("ListMcpResourcesTool", "Monitor", "MultiEdit", "NotebookEdit", "PowerShell", "Read", "ReadMcpResourceTool"),
    *("SendMessage", "Skill", "SlashCommand", "Task", "TaskCreate", "TaskGet", "TaskList", "TaskOutput", "TaskStop"),
    *("TaskUpdate", "TeamCreate", "TeamDelete", "TodoWrite", "ToolSearch", "WebFetch", "WebSearch", "Write"),
)
"""Every tool name, of this client and of earlier ones, in alphabetical order."""
