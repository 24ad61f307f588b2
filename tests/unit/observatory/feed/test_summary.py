"""What an event is about, on one line."""

from __future__ import annotations

from typing import Any

import pytest

from observatory.feed.row import took
from observatory.feed.summary import PATH, what
from observatory.hooks import event_names

BASH = {"tool_name": "Bash", "tool_input": {"command": "npm test"}}
ASKED = {"questions": [{"question": "Which database?"}, {"question": "Which  port?"}, "odd"]}


@pytest.mark.parametrize(
    ("event", "fields", "says"),
    [
        ("PreToolUse", {"tool_input": {"command": "ls\n -l", "description": "x"}, "prompt": "no"}, "ls -l"),
        ("PreToolUse", {"tool_input": {"file_path": "/x"}}, "/x"),
        ("UserPromptSubmit", {"prompt": "hello"}, "hello"),
        ("SessionStart", {"tool_input": "odd", "source": "startup"}, "startup"),
        ("PostToolUseFailure", {**BASH, "error": "Exit code 1: 3 failed"}, "Exit code 1: 3 failed \u00b7 npm test"),
        ("PermissionDenied", {**BASH, "reason": "no"}, "no \u00b7 npm test"),
        ("StopFailure", {"error": "rate_limit", "error_details": "429"}, "rate_limit \u00b7 429"),
        ("MessageDisplay", {"delta": "The cause is the cache.", "index": 3}, "The cause is the cache."),
        ("PreToolUse", {"tool_name": "Skill", "tool_input": {"skill": "deploy"}}, "deploy"),
        ("PreToolUse", {"tool_name": "AskUserQuestion", "tool_input": ASKED}, "Which database? \u00b7 Which port?"),
        ("PreToolUse", {"tool_name": "mcp__git__issue", "tool_input": {"title": "Crash", "n": 3}}, "title=Crash n=3"),
        ("PreToolUse", {"tool_name": "Later", "tool_input": {"depth": 3, "all": True}}, "depth=3 all=True"),
        ("PreToolUse", {"tool_name": "Grep", "tool_input": {"path": "src", "pattern": "x"}}, "x \u00b7 src"),
        (
            "PreToolUse",
            {"tool_name": "Agent", "tool_input": {"subagent_type": "Plan", "description": "d"}},
            "Plan \u00b7 d",
        ),
        ("PreToolUse", {"tool_name": "TodoWrite", "tool_input": {"todos": [{"content": "a"}]}}, "a"),
        ("PostToolBatch", {"tool_calls": [{"tool_name": "Read"}, {"tool_name": "Edit"}]}, "Read, Edit"),
        ("SubagentStop", {"agent_type": "Plan", "last_assistant_message": "Done."}, "Plan \u00b7 Done."),
        ("CwdChanged", {"old_cwd": "/a", "new_cwd": "/b", "cwd": "/b"}, "/b"),
        ("TaskCreated", {"task_id": "1", "task_subject": "Tidy"}, "Tidy"),
        ("Later", {"colour": "red", "session_id": "s", "_peer_uid": 0, "none": None}, "colour=red"),
        ("Stop", {"session_id": "s"}, ""),
    ],
)
def test_an_event_is_summed_up_by_what_one_would_ask_about(event: str, fields: dict[str, Any], says: str) -> None:
    assert what({"_event": event, **fields}) == says


USE = {**BASH, "tool_use_id": "u"}
SWITCH = {"from_model": "a", "to_model": "b", "requested_model": None, "source": "picker", "context_tokens": 9}
TASK = {"task_id": "1", "task_subject": "Tidy", "task_description": "all of it", "team_name": "t"}
OF_THE_CLIENT: dict[str, tuple[dict[str, Any], str]] = {
    "PreToolUse": (USE, "npm test"),
    "PostToolUse": ({**USE, "tool_response": {"stdout": "ok"}, "duration_ms": 5}, "npm test"),
    "PostToolUseFailure": ({**USE, "error": "Exit code 1", "is_interrupt": False}, "Exit code 1 \u00b7 npm test"),
    "PostToolBatch": ({"tool_calls": [USE]}, "Bash"),
    "PermissionRequest": ({**USE, "permission_suggestions": []}, "npm test"),
    "PermissionDenied": ({**USE, "reason": "no"}, "no \u00b7 npm test"),
    "PreSkillShellCommand": ({**USE, "command_name": "deploy", "invoked_by": "user"}, "npm test \u00b7 deploy"),
    "Notification": ({"message": "Look", "title": "t", "notification_type": "idle_prompt"}, "Look"),
    "UserPromptSubmit": ({"prompt": "go", "source": "user", "session_title": "t"}, "go"),
    "UserPromptExpansion": (
        {"expansion_type": "slash_command", "command_name": "review", "command_args": "7"},
        "review \u00b7 7",
    ),
    "SessionStart": ({"source": "resume", "model": "m", "session_title": "t"}, "resume \u00b7 m"),
    "SessionEnd": ({"reason": "logout"}, "logout"),
    "Setup": ({"trigger": "init"}, "init"),
    "Stop": ({"stop_hook_active": False, "last_assistant_message": "Done.", "background_tasks": []}, "Done."),
    "StopFailure": ({"error": "rate_limit", "error_details": "429"}, "rate_limit \u00b7 429"),
    "SubagentStart": ({"agent_id": "1", "agent_type": "Plan"}, "Plan"),
    "SubagentStop": (
        {"agent_type": "Plan", "agent_transcript_path": "/t", "last_assistant_message": "x"},
        "Plan \u00b7 x",
    ),
    "PreCompact": ({"trigger": "manual", "custom_instructions": "short"}, "manual \u00b7 short"),
    "PostCompact": ({"trigger": "auto", "compact_summary": "All."}, "auto \u00b7 All."),
    "PreModelSwitch": (SWITCH, "a \u00b7 b \u00b7 picker"),
    "PostModelSwitch": (SWITCH, "a \u00b7 b \u00b7 picker"),
    "TeammateIdle": ({"teammate_name": "ann", "team_name": "t"}, "ann"),
    "TaskCreated": (TASK, "Tidy"),
    "TaskCompleted": (TASK, "Tidy"),
    "Elicitation": ({"mcp_server_name": "git", "message": "Which?", "mode": "form"}, "git \u00b7 Which?"),
    "ElicitationResult": ({"mcp_server_name": "git", "action": "decline"}, "git \u00b7 decline"),
    "ConfigChange": ({"source": "user_settings", "file_path": "/s"}, "user_settings \u00b7 /s"),
    "InstructionsLoaded": ({"file_path": "/c", "memory_type": "User", "load_reason": "include"}, "/c \u00b7 include"),
    "WorktreeCreate": ({"name": "fix"}, "fix"),
    "WorktreeRemove": ({"worktree_path": "/w"}, "/w"),
    "CwdChanged": ({"old_cwd": "/a", "new_cwd": "/b"}, "/b"),
    "FileChanged": ({"file_path": "/f", "event": "add"}, "add \u00b7 /f"),
    "DirectoryAdded": ({"directory": "/d", "source": "slash_command"}, "/d \u00b7 slash_command"),
    "MessageDisplay": ({"turn_id": "1", "message_id": "2", "index": 0, "final": True, "delta": "Hello"}, "Hello"),
}
"""What the client sends with each event beside what every event has, by its own schemas (2.1.332)."""


@pytest.mark.parametrize("event", event_names.ALL)
def test_every_event_of_the_client_says_what_it_is_about(event: str) -> None:
    common = {"session_id": "s", "transcript_path": "/t", "cwd": "/p", "permission_mode": "default"}
    fields, says = OF_THE_CLIENT[event]
    assert what({"_event": event, "hook_event_name": event, **common, "agent_id": "a", **fields}) == says


@pytest.mark.parametrize("event", event_names.ALL)
def test_no_summary_is_long_and_none_fails_whatever_is_in_it(event: str) -> None:
    odd = ("x" * 10_000, 7, [{"question": 3}, 4], {"a": {"b": 1}}, None, True)
    for tool in ("AskUserQuestion", "TodoWrite", "Skill", "mcp__a__b", "Bash", 3):
        for value in odd:
            fields = dict.fromkeys(("error", "tool_input", "delta", "questions", "tool_calls", "prompt"), value)
            assert len(what({"_event": event, "tool_name": tool, **fields})) <= 200
            assert len(what({"_event": event, "tool_name": tool, "tool_input": fields})) <= 200


def test_of_a_long_path_the_middle_is_left_out() -> None:
    path = f"/home/mia/{'deep/' * 30}main.py"
    short = what({"_event": "PreToolUse", "tool_name": "Read", "tool_input": {"file_path": path}})
    assert len(short) == PATH
    assert short.startswith("/home/mia/deep/")
    assert short.endswith("/deep/main.py")
    assert "\u2026" in short


def test_a_duration_is_as_exact_as_one_wants_it() -> None:
    texts = [took(value) for value in (None, 0, 999, 1000, 9_949, 9_960, 59_499, 59_600, 81_234, 3_599_600, 7_500_000)]
    assert texts == ["", "0ms", "999ms", "1.0s", "9.9s", "10s", "59s", "1m00s", "1m21s", "1h00m", "2h05m"]
