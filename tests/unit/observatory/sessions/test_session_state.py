"""A session's state, told from its events."""

from __future__ import annotations

from itertools import count
from typing import Any

import pytest

from observatory.sessions.state import MOST, Session, SessionReader, is_silent, sessions


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
READ_DONE = said("PostToolUse", tool_name="Read", tool_use_id="2")
ALSO = said("Notification", notification_type="permission_prompt")
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
        ([BASH, ASKS, BASH_DONE, said("Notification", notification_type="x")], ("working", None)),
        ([BASH, READ, ASKS, READ_DONE], ("waiting for permission", "Bash")),
        ([BASH, said("Notification", notification_type="permission_prompt")], ("waiting for permission", None)),
        ([BASH, ASKS, ALSO], ("waiting for permission", "Bash")),
        ([BASH, said("Notification", message="needs your permission to use it")], ("waiting for permission", None)),
        ([STOP, said("Notification", notification_type="idle_prompt")], ("idle", None)),
        ([STOP, said("Notification", message="Claude is waiting for your input")], ("idle", None)),
        ([BASH, said("Notification", notification_type="idle_prompt")], ("idle", None)),
        ([BASH, said("Notification", notification_type="x", message="permission")], ("running a tool", "Bash")),
        ([PROMPT, said("Elicitation")], ("waiting for an answer", None)),
        ([PROMPT, said("Elicitation"), said("ElicitationResult")], ("working", None)),
        ([BASH, said("Notification", notification_type="elicitation_dialog")], ("waiting for an answer", None)),
        ([BASH, said("Notification", notification_type="agent_needs_input")], ("waiting for an answer", None)),
        ([BASH, said("Notification", notification_type="agent_needs_input"), BASH_DONE], ("working", None)),
        ([BASH, said("Notification", notification_type="worker_permission_prompt")], ("waiting for permission", None)),
        ([said("PreToolUse", tool_name="AskUserQuestion", tool_use_id="3")], ("waiting for an answer", None)),
        ([START, PROMPT, BASH, STOP], ("idle", None)),
        ([START, PROMPT, said("StopFailure")], ("idle", None)),
        ([START, PROMPT, STOP, PROMPT], ("working", None)),
        ([START, STOP, said("SessionEnd", reason="other")], ("ended", None)),
        ([START, PROMPT, BASH, DEAD], ("dead", None)),
        ([START, said("SessionEnd"), BASH], ("ended", None)),
        ([START, PROMPT, STOP, said("SessionEnd", _session_pids=[7])], ("idle", None)),
        ([START, PROMPT, BASH, said("SessionEnd", _session_pids=[7]), READ], ("running a tool", "Read")),
        ([START, said("SessionEnd", _session_pids=[])], ("ended", None)),
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
        1000,
        "a",
        "dead",
        None,
        "/two",
        started="2026-01-01T00:00:01Z",
        last="2026-01-01T00:00:04Z",
        last_event="SessionDead",
        pid=7,
        since="2026-01-01T00:00:04Z",
    )
    assert second.session_id == "b"


def test_events_of_no_session_tell_of_none() -> None:
    assert tell({"_event": "Stop", "_peer_uid": 1}, said("Stop", session=""), {"session_id": 7}) == []


def of(agent: str, name: str, **fields: Any) -> dict[str, Any]:
    return said(name, agent_id=agent, agent_type=agent.upper(), **fields)


A_BASH, A_ASKS = (
    of("a", "PreToolUse", tool_name="Bash", tool_use_id="a1"),
    of("a", "PermissionRequest", tool_name="Bash"),
)
B_READ = of("b", "PreToolUse", tool_name="Read", tool_use_id="b1")
B_READ_DONE = of("b", "PostToolUse", tool_name="Read", tool_use_id="b1")
TASK = said("PreToolUse", tool_name="Agent", tool_use_id="t")


@pytest.mark.parametrize(
    "others",
    [
        [B_READ],
        [B_READ, B_READ_DONE],
        [B_READ, B_READ_DONE, of("b", "PostToolBatch")],
        [B_READ, of("b", "SubagentStop")],
        [of("b", name, tool_name="Bash", tool_use_id="b2") for name in ("PreToolUse", "PostToolUse")],
        [READ, READ_DONE],
        [of("b", "Notification", notification_type="x"), said("SomethingNew")],
    ],
)  # fmt: skip
def test_nothing_that_one_agent_does_ends_the_wait_of_another(others: list[dict[str, Any]]) -> None:
    (session,) = tell(PROMPT, TASK, A_BASH, A_ASKS, *others)
    assert (session.state, session.tool, session.agent) == ("waiting for permission", "Bash", "A")
    assert session.since == "2026-01-01T00:00:04Z", "the age of a state is not that of the last event"
    (session,) = tell(PROMPT, TASK, A_BASH, A_ASKS, *others, of("a", "PostToolUse", tool_name="Bash", tool_use_id="a1"))
    assert session.state == "running a tool"


def test_an_agent_that_stops_runs_nothing_and_waits_for_nothing() -> None:
    assert state(PROMPT, A_BASH, A_ASKS, of("a", "SubagentStop")) == ("working", None)


def test_two_waits_are_answered_one_by_one() -> None:
    b_bash = of("b", "PreToolUse", tool_name="Bash", tool_use_id="b2")
    both = [PROMPT, A_BASH, b_bash, A_ASKS, of("b", "PermissionRequest", tool_name="Bash")]
    done = [of("b", "PostToolUse", tool_name="Bash", tool_use_id="b2")]
    assert tell(*both)[0].agent == "B"
    assert tell(*both, *done)[0].agent == "A"


def test_work_after_the_end_of_a_turn_is_not_idle() -> None:
    tasks = [{"id": "a", "type": "agent"}, {"id": "x", "type": "shell"}]
    stop = said("Stop", background_tasks=tasks)
    (session,) = tell(PROMPT, A_BASH, stop)
    assert (session.state, session.tool, session.background) == ("running a tool", "Bash", 2)
    a_done = of("a", "PostToolUse", tool_name="Bash", tool_use_id="a1")
    assert state(PROMPT, A_BASH, a_done, stop) == ("working", None)
    assert state(PROMPT, A_BASH, stop, a_done, of("a", "SubagentStop")) == ("idle", None)
    assert state(PROMPT, stop, PROMPT, A_BASH, A_ASKS, PROMPT) == ("working", None), "Esc says nothing, a prompt does"
    assert state(PROMPT, A_BASH, stop, PROMPT) == ("running a tool", "Bash"), "it was left at work"
    (session,) = tell(PROMPT, said("Stop", background_tasks=[{"id": "x"}]))
    assert (session.state, session.background) == ("idle", 1)
    assert state(PROMPT, A_BASH, STOP) == ("idle", None), "no word of a background"


def test_a_question_waits_for_an_answer_and_is_said() -> None:
    asked: dict[str, Any] = {
        "tool_name": "AskUserQuestion",
        "tool_input": {"questions": [{"question": "Which  database?"}]},
    }
    use = said("PreToolUse", tool_use_id="q", **asked)
    told = [said("PermissionRequest", **asked), said("Notification", notification_type="permission_prompt")]
    for events in ([use], [use, told[0]], [use, *told], [told[0]]):
        (session,) = tell(PROMPT, *events)
        assert (session.state, session.question, session.tool) == ("waiting for an answer", "Which database?", None)
    assert state(PROMPT, use, *told, said("PostToolUse", tool_use_id="q", tool_name="AskUserQuestion")) == (
        "working",
        None,
    )
    (session,) = tell(PROMPT, said("Elicitation", mcp_server_name="git", message="Which branch?"))
    assert (session.state, session.question) == ("waiting for an answer", "Which branch?")


@pytest.mark.parametrize("over", [said("SessionEnd"), DEAD])
def test_an_event_of_a_process_that_lives_revives_a_session(over: dict[str, Any]) -> None:
    assert state(START, over, PROMPT) == ("working", None)
    outlived = said("PostToolUse", tool_use_id="1")
    assert state(START, over, *[outlived] * 5) == (state(START, over)[0], None), "a hook may outlive its session"
    (session,) = tell(START, over, *[outlived] * 5, BASH)
    assert (session.state, session.tool, session.pid) == ("running a tool", "Bash", None)


def test_a_session_of_weeks_stays_small() -> None:
    reader = SessionReader(0, "s", "2026-01-01T00:00:00Z")
    for number in range(1000):
        reader.read(of(f"agent {number}", "PreToolUse", tool_name="Bash", tool_use_id=str(number)))
        reader.read(of(f"agent {number}", "PermissionRequest", tool_name="Bash"))
    assert {len(kept) for kept in (reader._running, reader._waits, reader._agents)} == {MOST}


def test_what_ends_by_itself_is_old_news_after_five_minutes() -> None:
    assert [is_silent("running a tool", 0, now) for now in (300_000, 300_001)] == [False, True]
    assert is_silent("waiting for permission", 0, 400_000), "the client says nothing at Esc"
    assert not any(is_silent(settled, 0, 10**9) for settled in ("fresh", "idle", "ended", "dead"))
