"""Why hooks are not `async`: the client does not wait for them, and what it does last is lost."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.client.conftest import running

if TYPE_CHECKING:
    from tests.client.conftest import Person

SOCKET = "/tmp/mine.sock"
SESSIONS = 3
WHOLE = ["SessionStart", "UserPromptSubmit", "PreToolUse", "PostToolUse", "PostToolBatch", "MessageDisplay", "Stop"]


def recorded(alice: Person) -> list[list[str]]:
    """The events of some sessions, of each in their order, once the last of them is known to have ended."""
    before = {event["session_id"] for event in events(alice)}
    for _ in range(SESSIONS):
        assert alice.turn('do:{"bash": "true"}').status == 0
    while True:
        sessions: dict[str, list[str]] = {}
        for event in events(alice):
            if event["session_id"] not in before:
                sessions.setdefault(event["session_id"], []).append(event["_event"])
        if len(sessions) == SESSIONS and all(names[-1] in {"SessionEnd", "SessionDead"} for names in sessions.values()):
            return list(sessions.values())


def events(alice: Person) -> list[dict[str, str]]:
    said = alice.observatory("events", "--json", "--socket", SOCKET)
    return [json.loads(line) for line in said.splitlines()]


def is_whole(names: list[str]) -> bool:
    """Whether nothing is lost and all is in order."""
    return [name for name in names if name in WHOLE] == WHOLE and names[-1] == "SessionEnd"


def test_events_are_lost_or_out_of_order_where_hooks_are_async_and_only_there(alice: Person) -> None:
    with running(alice.start_observatory("serve", "--socket", SOCKET)) as server:
        while "listening on" not in server.read_line("stderr"):
            pass
        alice.observatory("install-hooks", "--global", "--socket", SOCKET)
        assert all(is_whole(names) for names in recorded(alice))
        settings = json.loads(alice.read(".claude/settings.json"))
        for groups in settings["hooks"].values():
            for group in groups:
                for hook in group["hooks"]:
                    hook["async"] = True
        alice.write(".claude/settings.json", json.dumps(settings))
        # An older client loses each session's end; with a newer one it is the end of a turn, and not in each.
        for _ in range(5):
            if not all(is_whole(names) for names in recorded(alice)):
                return
        pytest.fail(f"{5 * SESSIONS} sessions with such hooks are whole: they could be offered")
