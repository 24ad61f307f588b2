"""A session's state, told from its events."""

from __future__ import annotations

from itertools import count
from typing import Any

import pytest

from observatory.sessions.state import Session, sessions


def said(name: str, uid: int | None = 1000, session: str = "s", **fields: Any) -> dict[str, Any]:
    return {"_event": name, "_peer_uid": uid, "session_id": session, **fields}


def tell(*events: dict[str, Any]) -> list[Session]:
    numbers = count(1)
    return sessions({"_id": (n := next(numbers)), "_ts": f"2026-01-01T00:00:{n:02d}Z", **each} for each in events)


def state(*events: dict[str, Any]) -> tuple[str, str | None]:
    (session,) = tell(*events)
    return session.state, session.tool


START = said("SessionStart", source="startup")
PROMPT = said("UserPromptSubmit", prompt="do it")
BASH = said("PreToolUse", tool_name="Bash", tool_use_id="1")
ASKS = said("PermissionRequest", tool_name="Bash")
BASH_DONE = said("PostToolUse", tool_name="Bash", tool_use_id="1")
READ = said("PreToolUse", tool_name="Read", tool_use_id="2")
STOP = said("Stop")
DEAD = said("SessionDead", _session_pid=42)


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([START], ("fresh", None)),
        ([START, PROMPT], ("working", None)),
        ([START, PROMPT, BASH], ("running a tool", "Bash")),
        ([START, PROMPT, BASH, READ], ("running a tool", "Read")),
        ([START, PROMPT, BASH, READ, said("PostToolUse", tool_use_id="2")], ("running a tool", "Bash")),
        ([START, PROMPT, BASH, BASH_DONE], ("working", None)),
        ([START, PROMPT, BASH, said("PostToolUseFailure", tool_use_id="1")], ("working", None)),
        ([BASH, READ, said("PostToolBatch")], ("working", None)),
        ([BASH, ASKS], ("waiting for permission", "Bash")),
        ([BASH, ASKS, BASH_DONE], ("working", None)),
        ([BASH, ASKS, said("PermissionDenied", tool_use_id="1")], ("working", None)),
        ([BASH, said("Notification", notification_type="permission_prompt")], ("waiting for permission", None)),
        ([BASH, said("Notification", message="needs your permission to use it")], ("waiting for permission", None)),
        ([STOP, said("Notification", notification_type="idle_prompt")], ("waiting for input", None)),
        ([STOP, said("Notification", message="Claude is waiting for your input")], ("waiting for input", None)),
        ([BASH, said("Notification", notification_type="idle_prompt")], ("waiting for input", None)),
        ([BASH, said("Notification", notification_type="x", message="permission")], ("running a tool", "Bash")),
        ([PROMPT, said("Elicitation")], ("waiting for input", None)),
        ([PROMPT, said("Elicitation"), said("ElicitationResult")], ("working", None)),
        ([BASH, said("Notification", notification_type="elicitation_dialog")], ("waiting for input", None)),
        ([said("PreToolUse", tool_name="AskUserQuestion", tool_use_id="3")], ("waiting for input", None)),
        ([START, PROMPT, BASH, STOP], ("idle", None)),
        ([START, PROMPT, said("StopFailure")], ("idle", None)),
        ([START, PROMPT, STOP, PROMPT], ("working", None)),
        ([START, STOP, said("SessionEnd", reason="other")], ("ended", None)),
        ([START, PROMPT, BASH, DEAD], ("dead", None)),
        ([START, said("SessionEnd"), BASH], ("ended", None)),
        ([START, DEAD, BASH], ("dead", None)),
        ([START, DEAD, said("SessionStart", source="resume")], ("fresh", None)),
        ([START, said("SessionEnd"), said("SessionStart", source="resume"), PROMPT], ("working", None)),
        ([START, PROMPT, said("SessionStart", source="compact")], ("working", None)),
        ([START, DEAD, said("SessionStart", source="compact")], ("fresh", None)),
        ([PROMPT, said("SubagentStop"), said("SomethingNew")], ("working", None)),
    ],
)  # fmt: skip
def test_each_event_leads_to_the_state_that_a_person_would_name(
    events: list[dict[str, Any]], expected: tuple[str, str | None]
) -> None:
    assert state(*events) == expected


def test_only_the_server_can_say_that_a_session_is_dead() -> None:
    # A client's own fields never begin with an underscore: the server drops those.
    assert state(START, said("SessionDead")) == ("fresh", None)
    assert state(START, said("SessionDead", session_pid=42)) == ("fresh", None)


def test_nobody_changes_another_users_session() -> None:
    mine, theirs = tell(START, PROMPT, said("SessionEnd", uid=1001), said("Stop", uid=None))[1:][::-1]
    assert (mine.uid, mine.state) == (1000, "working")
    assert (theirs.uid, theirs.state) == (1001, "ended")


def test_the_latest_session_comes_first_with_what_it_last_said() -> None:
    first, second = tell(
        said("SessionStart", session="a", cwd="/one"),
        said("SessionStart", session="b", cwd="/b"),
        said("CwdChanged", session="a", cwd="/two"),
        said("SessionDead", session="a", _session_pid=7),
    )
    assert first == Session(
        1000, "a", "dead", None, "/two", "2026-01-01T00:00:01Z", "2026-01-01T00:00:04Z", "SessionDead", 7
    )
    assert second.session_id == "b"


def test_events_of_no_session_tell_of_none() -> None:
    assert tell({"_event": "Stop", "_peer_uid": 1}, said("Stop", session=""), {"session_id": 7}) == []
