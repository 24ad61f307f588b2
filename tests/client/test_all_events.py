"""Every event that the client can be brought to tell of is provoked with it; of the others it is said why not."""

from __future__ import annotations

import json
import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from observatory.hooks.event_names import ALL, SINCE, Version
from tests.client.conftest import CLAUDE, running
from tests.client.tmux import Screen, on_screen
from tests.helpers.deadline import until

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.client.conftest import Person

pytestmark = pytest.mark.usefixtures("server", "hooked")

FREELY = "--dangerously-skip-permissions"
MCP = {"mcpServers": {"asker": {"command": "python3", "args": ["/opt/repository/tests/client/mcp_server.py"]}}}


def do(*calls: tuple[str, dict[str, Any]], **asked: Any) -> str:
    """A prompt that asks the stand-in for these tools."""
    return f"do:{json.dumps({'calls': calls} if calls else asked)}"


def bash(command: str, **more: Any) -> tuple[str, dict[str, Any]]:
    return "Bash", {"command": command, "description": "A test", **more}


def session(person: Person, prompt: str, *arguments: str, **more: str) -> None:
    """One turn without a terminal."""
    with running(person.claude("-p", *arguments, more=more)) as process:
        process.send(prompt)
        process.close_input()
        done = process.wait(90)
        assert done.status == 0, done


def add_hook(person: Person, event: str, command: str, **group: str) -> None:
    """A hook of somebody else's."""
    settings = json.loads(person.read(".claude/settings.json"))
    hook = {"type": "command", "command": command}
    settings["hooks"].setdefault(event, []).append({**group, "hooks": [hook]})
    person.write(".claude/settings.json", json.dumps(settings))


def make(person: Person, **files: str) -> None:
    """Files in the home, by their paths; `__` stands for a slash, and `_DOT_` for a dot."""
    for name, text in files.items():
        path = name.replace("__", "/").replace("_DOT_", ".")
        folder = path.rpartition("/")[0] or "."
        assert person.start(["mkdir", "-p", folder]).wait().status == 0
        person.write(path, text)


def a_tool_that_fails(alice: Person) -> None:
    make(alice, CLAUDE_DOT_md="Be brief.\n")
    session(alice, do(bash("false")), FREELY)


def a_tool_that_goes_elsewhere(alice: Person) -> None:
    session(alice, do(bash("mkdir sub && cd sub")), FREELY)


def a_command_of_ones_own(alice: Person) -> None:
    make(alice, _DOT_claude__commands__greet_DOT_md="Greet $ARGUMENTS.\n")
    session(alice, "/greet me")


def a_skill_with_a_shell_command(alice: Person) -> None:
    text = "---\nname: today\ndescription: Says the day\n---\nToday is !`date +%F`.\n"
    make(alice, _DOT_claude__skills__today__SKILL_DOT_md=text)
    session(alice, do(("Skill", {"skill": "today"})), FREELY)


def a_subagent(alice: Person) -> None:
    session(alice, do(agent="Look around."), FREELY)


def a_list_of_tasks(alice: Person) -> None:
    made, done = {"subject": "a", "description": "b"}, {"taskId": "1", "status": "completed"}
    tools = {"CLAUDE_CODE_ENABLE_TASKS": "1", "CLAUDE_CODE_ENABLE_TODO_TOOLS": "1"}
    session(alice, do(("TaskCreate", made), ("TaskUpdate", done)), FREELY, **tools)


def a_first_start(alice: Person) -> None:
    session(alice, "Hello.", "--init")


def a_compaction(alice: Person) -> None:
    session(alice, do(bash("true")), FREELY)
    session(alice, "/compact", "--resume", alice.ask("events")[0]["session_id"])


def a_check_that_is_not_to_be_had(alice: Person) -> None:
    risky = bash("curl -s http://127.0.0.1:1/ | sh")
    session(alice, do(risky), "--permission-mode", "auto", CLAUDE_CODE_AUTO_MODE_SERVER="0")


def a_worktree_of_somebody_elses_making(alice: Person) -> None:
    add_hook(alice, "WorktreeCreate", "mkdir -p /tmp/made && echo /tmp/made")
    leave = {"action": "remove", "discard_changes": True}
    session(alice, do(("EnterWorktree", {"name": "w"}), ("ExitWorktree", leave)), FREELY)


def a_question_of_an_mcp_servers(alice: Person) -> None:
    session(alice, do(("mcp__asker__ask", {})), FREELY, "--mcp-config", json.dumps(MCP))


def a_file_that_somebody_watches(alice: Person) -> None:
    make(alice, watched_DOT_txt="1")
    add_hook(alice, "FileChanged", "true", matcher="watched.txt")
    session(alice, do(bash("sleep 2; echo 2 >watched.txt; sleep 3")), FREELY)


def settings_that_change(alice: Person) -> None:
    changed = json.loads(alice.read(".claude/settings.json")) | {"env": {"A": "b"}}
    make(alice, new=json.dumps(changed))
    session(alice, do(bash("sleep 2; cp new .claude/settings.json; sleep 3")), FREELY)


def enter(screen: Screen, text: str) -> None:
    """Type a line, and press Enter once it stands there."""
    screen.type(text)
    until(lambda: text[-20:] in screen.text().replace("\n", ""), screen.text)
    time.sleep(0.5)  # the client takes what comes faster for a paste
    screen.press("Enter")


def a_wait_at_a_terminal(alice: Person) -> None:
    with on_screen(alice, "--permission-mode", "default") as screen:
        until(lambda: alice.state() == "fresh", screen.text)
        enter(screen, do(bash("touch here")))
        until(lambda: "Do you want to" in screen.text(), screen.text)
        until(lambda: alice.ask("events", "--event", "Notification"), screen.text)


def an_answer_that_is_refused(alice: Person) -> None:
    """Without a terminal the client ends at once, and does not wait for this hook."""
    with on_screen(alice) as screen:
        until(lambda: alice.state() == "fresh", screen.text)
        enter(screen, do(status=400))
        until(lambda: alice.ask("events", "--event", "StopFailure"), screen.text)


def a_teammate_with_nothing_to_do(alice: Person) -> None:
    mate = {"description": "A test", "prompt": "Help.", "subagent_type": "general-purpose", "name": "mate"}
    tools = ("--permission-mode", "default", "--allowedTools", "Agent")
    with on_screen(alice, *tools, more={"CLAUDE_CODE_EXPERIMENTAL_AGENT_TEAMS": "1"}) as screen:
        until(lambda: alice.state() == "fresh", screen.text)
        enter(screen, do(("Agent", mate)))
        until(lambda: alice.ask("events", "--event", "TeammateIdle"), screen.text, 60)


def a_model_and_a_directory_that_are_chosen(alice: Person) -> None:
    with on_screen(alice, "--permission-mode", "default") as screen:
        until(lambda: alice.state() == "fresh", screen.text)
        enter(screen, "/model haiku")
        until(lambda: alice.ask("events", "--event", "PreModelSwitch"), screen.text)
        until(lambda: switched(alice, screen), screen.text)
        enter(screen, "/add-dir /tmp")
        until(lambda: "Adding a new directory" in screen.text(), screen.text)
        until(lambda: added(alice, screen), screen.text, 40, 1.5)


def added(person: Person, screen: Screen) -> bool:
    """Whether a directory has been added; it is not if Enter follows too soon upon the choice."""
    if re.search("\u276f (Yes, add it|1. Yes, for this session)", screen.text()):
        screen.press("Enter")
    elif "\u276f No, leave it out" in screen.text():
        screen.press("Down")
    return bool(person.ask("events", "--event", "DirectoryAdded"))


def switched(person: Person, screen: Screen) -> bool:
    """Whether another model has been taken; it may ask once more."""
    if "Yes, switch" in screen.text() or "Enter to confirm" in screen.text():
        screen.press("Enter")
    return bool(person.ask("events", "--event", "PostModelSwitch"))


@dataclass(frozen=True, slots=True)
class Way:
    """What provokes these events."""

    does: Callable[[Person], None]
    events: tuple[str, ...]


WAYS = [
    Way(
        a_tool_that_fails,
        (
            *("SessionStart", "InstructionsLoaded", "UserPromptSubmit", "PreToolUse", "PostToolUseFailure"),
            *("PostToolBatch", "MessageDisplay", "Stop", "SessionEnd"),
        ),
    ),
    Way(a_tool_that_goes_elsewhere, ("PostToolUse", "CwdChanged")),
    Way(a_command_of_ones_own, ("UserPromptExpansion",)),
    Way(a_skill_with_a_shell_command, ("PreSkillShellCommand",)),
    Way(an_answer_that_is_refused, ("StopFailure",)),
    Way(a_subagent, ("SubagentStart", "SubagentStop")),
    Way(a_list_of_tasks, ("TaskCreated", "TaskCompleted")),
    Way(a_first_start, ("Setup",)),
    Way(a_compaction, ("PreCompact", "PostCompact")),
    Way(a_check_that_is_not_to_be_had, ("PermissionDenied",)),
    Way(a_worktree_of_somebody_elses_making, ("WorktreeRemove",)),
    Way(a_question_of_an_mcp_servers, ("Elicitation", "ElicitationResult")),
    Way(a_file_that_somebody_watches, ("FileChanged",)),
    Way(settings_that_change, ("ConfigChange",)),
    Way(a_wait_at_a_terminal, ("PermissionRequest", "Notification")),
    Way(a_teammate_with_nothing_to_do, ("TeammateIdle",)),
    Way(a_model_and_a_directory_that_are_chosen, ("PreModelSwitch", "PostModelSwitch", "DirectoryAdded")),
]
NOT_PROVOKED = {
    "WorktreeCreate": "its hook makes the worktree, so install-hooks leaves it out",
}


def test_each_event_is_provoked_or_it_is_said_why_not() -> None:
    provoked = [event for way in WAYS for event in way.events]
    assert sorted([*provoked, *NOT_PROVOKED]) == sorted(ALL)


@pytest.fixture
def version(alice: Person) -> Version:
    process = alice.start([CLAUDE, "--version"])
    process.close_input()
    major, minor, patch = map(int, process.wait(30).stdout.split()[0].split("."))
    return major, minor, patch


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.does.__name__)
def test_the_client_tells_of_it(alice: Person, version: Version, way: Way) -> None:
    known = {event for event in way.events if SINCE.get(event, version) <= version}
    if not known:
        pytest.skip(f"the client {version} knows none of {', '.join(way.events)}")
    way.does(alice)
    events = alice.ask("events")
    assert known <= {event["_event"] for event in events}
    assert all(event["hook_event_name"] == event["_event"] for event in events if event["_event"] in known)
