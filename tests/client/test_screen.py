"""The state that the events tell is what the client's terminal shows, whenever it rests: seen by tmux."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from tests.client.test_all_events import MCP, bash, do, enter
from tests.client.tmux import Screen, on_screen
from tests.helpers.deadline import until

if TYPE_CHECKING:
    from tests.client.conftest import Person

pytestmark = pytest.mark.usefixtures("server", "hooked")

QUESTION = {
    "question": "Which one is it?",
    "header": "One",
    "multiSelect": False,
    "options": [{"label": "first", "description": "x"}, {"label": "second", "description": "y"}],
}
AT_WORK = ("working", "running a tool")
WAITS_FOR_AGENTS = r"Waiting for \d+ background agents?\b(?![\s\S]*\bfinished\b)"
"""What a newer client writes below a turn; it stays there when the agent has finished."""


def shown(screen: str) -> tuple[str, ...]:
    """The states of which one is shown."""
    if re.search(r"Do you want to .*\?", screen) and re.search(r"\u276f \d\. ", screen):
        return ("waiting for permission",)
    if ("Which one is it?" in screen and "Enter to select" in screen) or "requests your input" in screen:
        return ("waiting for an answer",)
    if "esc to interrupt" in screen or re.search(WAITS_FOR_AGENTS, screen):
        return AT_WORK
    return ("fresh", "idle")


class Watched:
    """A session that is seen on both sides."""

    def __init__(self, person: Person, screen: Screen) -> None:
        self._person = person
        self.screen = screen
        self.seen: list[str] = []

    def rests(self, *states: str) -> None:
        """Until one of these is both told and shown, and stays so."""

        def agree() -> bool:
            before, state, after = self.screen.text(), self._person.state(), self.screen.text()
            return state in states and shown(before) == shown(after) and state in shown(after)

        until(
            lambda: agree() and agree(),
            lambda: f"{states}, and not {self._person.state()} and {shown(self.screen.text())}: {self.screen.text()}",
            60,
        )
        self.seen.append(self._person.state() or "")

    def answers(self, option: str) -> None:
        """Choose an option of a dialog by its number."""
        found = re.findall(rf"(\d)\. {option}", self.screen.text())
        assert found, self.screen.text()
        self.screen.press(found[0])


def test_what_is_told_is_what_is_shown(alice: Person) -> None:
    for pipe in ("model", "agent"):
        assert alice.start(["mkfifo", "-m", "0666", f"/tmp/{pipe}"]).wait().status == 0
    alice.write("wait", "until [ -e go ]; do sleep 0.05; done\n")
    alice.write("mcp.json", json.dumps(MCP))
    allowed = ("Agent", "Task", "Bash(sleep 1000)", "Bash(sh wait)", "mcp__asker__ask")
    options = ("--permission-mode", "default", "--mcp-config", "mcp.json", "--allowedTools", *allowed)
    with on_screen(alice, *options) as screen:
        session = Watched(alice, screen)
        session.rests("fresh")
        enter(screen, do(gate="/tmp/model"))
        session.rests("working")
        alice.write("/tmp/model", "go")
        session.rests("idle")
        enter(screen, do(bash("touch granted")))
        session.rests("waiting for permission")
        session.answers("Yes")
        session.rests("idle")
        enter(screen, do(bash("touch refused")))
        session.rests("waiting for permission")
        session.answers("No")
        session.rests("idle")
        assert alice.start(["test", "-e", "granted", "-a", "!", "-e", "refused"]).wait().status == 0
        enter(screen, do(("AskUserQuestion", {"questions": [QUESTION]})))
        session.rests("waiting for an answer")
        (told,) = alice.ask("sessions")
        assert told["question"] == "Which one is it?"
        session.answers("second")
        session.rests("idle")
        enter(screen, do(("mcp__asker__ask", {})))
        session.rests("waiting for an answer")
        (told,) = alice.ask("sessions")
        assert told["question"] == "Who is it?"
        screen.press("Escape")
        session.rests("idle")
        enter(screen, do(bash("false && touch x")))
        session.rests("waiting for permission")
        session.answers("Yes")
        session.rests("idle")
        enter(screen, do(bash("sh wait")))
        session.rests("running a tool")
        alice.write("go", "")
        session.rests("idle")
        enter(screen, do(agent={"gate": "/tmp/agent"}))
        session.rests(*AT_WORK)
        alice.write("/tmp/agent", "go")
        session.rests("idle")
        enter(screen, "/compact")
        until(lambda: alice.ask("events", "--event", "PostCompact"), screen.text, 60)
        session.rests("idle", "fresh")
        enter(screen, do(bash("sleep 1000", run_in_background=True)))
        until(lambda: alice.ask("sessions")[0]["background"] == 1, screen.text, 60)
        session.rests("idle")
        (before,) = alice.ask("sessions")
    until(lambda: alice.state() in {"dead", "ended"}, "its end is told", 30)
    with on_screen(alice, "--permission-mode", "default", "--resume", before["session_id"]) as screen:
        session.screen = screen
        session.rests("fresh", "idle")  # an older client asks at once what has become of the task
        enter(screen, do(gate="/tmp/model"))
        session.rests("working")
        alice.write("/tmp/model", "go")
        session.rests("idle")
