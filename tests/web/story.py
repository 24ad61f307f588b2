"""A morning of six sessions, as their hooks tell it."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.helpers.hook_client import HookClient

PROJECTS = (
    "/home/mia/src/claude-observatory",
    "/home/mia/src/payments-api",
    "/home/mia/src/design-system",
    "/home/mia/notes",
    "/srv/infra/terraform",
    "/home/mia/src/compiler/frontend",
)
COMMANDS = (
    "npm test",
    "git status --short",
    "rg -n 'TODO' src",
    "uv run pytest -q tests/unit",
    "cargo build --release",
)


def events() -> Iterator[tuple[str, dict[str, Any]]]:
    """What the hooks send: at the end one works with a tool, one thinks, two wait, one is idle, one has ended."""
    choose = random.Random(4)
    sessions = [
        {"session_id": f"{number:08d}-0000-4000-8000-000000000000", "cwd": project, "permission_mode": "default"}
        for number, project in enumerate(PROJECTS)
    ]
    for session in sessions:
        yield "SessionStart", {**session, "source": "startup"}
    for session in sessions[:5]:
        yield "UserPromptSubmit", {**session, "prompt": "Make the retry test less flaky, and say why it was"}
    for number in range(60):
        session = choose.choice(sessions[:5])
        call = {
            **session,
            "tool_name": "Bash",
            "tool_input": {"command": choose.choice(COMMANDS)},
            "tool_use_id": f"u{number}",
        }
        yield "PreToolUse", call
        yield (
            ("PostToolUse" if number % 15 else "PostToolUseFailure"),
            {**call, "tool_response": {"stdout": "ok\n" * 5}, "duration_ms": 40 * (number + 1) ** 2},
        )
    yield "PreToolUse", {**sessions[0], "tool_name": "Bash", "tool_input": {"command": COMMANDS[0]}, "tool_use_id": "a"}
    push = {**sessions[1], "tool_name": "Bash", "tool_input": {"command": "git push --force"}, "tool_use_id": "b"}
    yield "PreToolUse", push
    yield "PermissionRequest", push
    yield "Stop", sessions[2]
    yield (
        "Notification",
        {**sessions[3], "message": "Which branch?", "notification_type": "elicitation_dialog"},
    )
    yield "SessionEnd", {**sessions[5], "reason": "exit"}


def tell(hooks: HookClient) -> None:
    hooks.say_all(events())


def many(count: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """So many uses of tools in twenty sessions."""
    for number in range(count):
        yield (
            "PreToolUse" if number % 2 == 0 else "PostToolUse",
            {
                "session_id": f"s{number % 20}",
                "cwd": PROJECTS[number % 6],
                "tool_name": ("Bash", "Read", "Edit")[number % 3],
                "tool_use_id": f"u{number // 2}",
                "tool_input": {"command": f"{COMMANDS[number % 5]} # {number}"},
            },
        )
