"""A session's events as a conversation: each step once, in its agent and turn; and whatever a sender sends is taken."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from observatory.feed.conversation import SAID, Step, conversation
from observatory.hooks import event_names


def told(*events: tuple[str, dict[str, Any]]) -> list[Step]:
    """The steps of events a second apart."""
    return conversation(
        "s",
        [
            (
                number,
                {"_event": name, "_ts": f"2026-01-01T00:00:{number:02d}Z", "_peer_pid": 4, "_peer_uid": 5, **fields},
            )
            for number, (name, fields) in enumerate(events, 1)
        ],
    ).steps


def short(steps: list[Step]) -> list[Any]:
    return [
        (step.kind, step.name or step.text, short(step.steps)) if step.steps else (step.kind, step.name or step.text)
        for step in steps
    ]


def test_two_agents_at_once_keep_their_own_tools() -> None:
    first, second = {"agent_id": "a", "agent_type": "Explore"}, {"agent_id": "b", "agent_type": "Plan"}
    steps = told(
        ("UserPromptSubmit", {"prompt": "go"}),
        ("SubagentStart", first),
        ("PreToolUse", {**first, "tool_name": "Grep"}),
        ("PreToolUse", {**second, "tool_name": "Grep"}),
        ("PostToolUse", {**second, "tool_name": "Grep", "duration_ms": 7}),
        ("SubagentStop", second),
        ("PostToolUse", {**first, "tool_name": "Grep"}),
    )
    assert short(steps) == [
        ("turn", "go", [("agent", "Explore", [("tool", "Grep")]), ("agent", "Plan", [("tool", "Grep")])]),
    ]
    explore, plan = steps[0].steps
    assert (plan.ended, plan.steps[0].took, plan.steps[0].ended) == (6, 7, 5)
    assert (explore.ended, explore.steps[0].took, explore.steps[0].ended) == (None, 4000, 7)


def test_what_comes_between_turns_is_in_neither() -> None:
    steps = told(
        ("SessionStart", {"source": "startup"}),
        ("UserPromptSubmit", {"prompt": "one"}),
        ("Stop", {}),
        ("Notification", {"message": "waits"}),
        ("UserPromptSubmit", {"prompt": "two"}),
        ("StopFailure", {"error": "overloaded"}),
        ("SessionDead", {"_session_pid": 9}),
    )
    assert short(steps) == [
        ("note", "SessionStart"),
        ("turn", "one"),
        ("note", "Notification"),
        ("turn", "two", [("note", "StopFailure")]),
        ("note", "SessionDead"),
    ]
    assert [step.failed for step in steps] == [False, False, False, True, False]


def test_words_are_put_together_and_not_told_twice() -> None:
    steps = told(
        ("UserPromptSubmit", {"prompt": "go"}),
        ("MessageDisplay", {"delta": "All "}),
        ("MessageDisplay", {"delta": "done."}),
        ("Stop", {"last_assistant_message": "All done."}),
    )
    assert [step.text for step in steps[0].steps] == ["All done."]
    gemini = told(("UserPromptSubmit", {"prompt": "go"}), ("Stop", {"prompt_response": "All done."}))
    assert [step.text for step in gemini[0].steps] == ["All done."]


def test_a_tool_that_was_refused_says_why_and_its_wait_is_over() -> None:
    bash = {"tool_name": "Bash", "tool_use_id": "t"}
    tool, wait = told(("PreToolUse", bash), ("PermissionRequest", bash), ("PermissionDenied", {**bash, "reason": "no"}))
    assert (tool.failed, tool.result, tool.ended) == (True, "no", 3)
    assert (wait.kind, wait.ended) == ("wait", 3)


def test_who_sent_a_step_is_the_kernels_word_alone() -> None:
    (step,) = told(("Stop", {"last_assistant_message": "x", "pid": 1, "uid": 0}))
    assert (step.pid, step.uid) == (4, 5)
    (unknown,) = told(("Stop", {"last_assistant_message": "x", "_peer_pid": None, "_peer_uid": None}))
    assert (unknown.pid, unknown.uid) == (None, None)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
FIELDS = st.sampled_from(
    [
        *(
            "agent_id",
            "agent_type",
            "tool_name",
            "tool_use_id",
            "tool_input",
            "tool_response",
            "error",
            "reason",
            "prompt",
        ),
        *(
            "delta",
            "last_assistant_message",
            "duration_ms",
            "cwd",
            "transcript_path",
            "_ts",
            "_peer_pid",
            "_peer_process",
        ),
    ]
)
EVENTS = st.tuples(
    st.sampled_from([*event_names.ALL, "SessionDead", "Other"]), st.dictionaries(FIELDS, JSON, max_size=6)
)


def all_steps(steps: list[Step]) -> list[Step]:
    return [found for step in steps for found in (step, *all_steps(step.steps))]


@given(st.lists(EVENTS, max_size=12))
def test_every_event_is_taken_and_no_step_is_told_of_two_beginnings(events: list[tuple[str, dict[str, Any]]]) -> None:
    steps = all_steps(told(*events))
    # An event begins one step at most, but for the first of an agent, and for a failure's words.
    assert len(steps) <= 2 * len(events)
    for step in steps:
        assert 1 <= step.place <= len(events)
        assert step.ended is None or step.ended >= step.place
        assert len(step.text) <= SAID
        assert len(step.result) <= SAID
