"""The plugin, as the client itself sees it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.client.conftest import running

if TYPE_CHECKING:
    from tests.client.conftest import Person

PLUGIN = "/opt/claude-plugin"
REPOSITORY = "/opt/repository"
NAMED = "observatory@claude-observatory"
SHUT = "/run/observatory/shut.sock"
SOCKET = "/tmp/mine.sock"


def validate(person: Person, path: str) -> tuple[int, str]:
    process = person.claude("plugin", "validate", path)
    process.close_input()
    done = process.wait(60)
    return done.status, done.stdout + done.stderr


def run(person: Person, *arguments: str) -> str:
    process = person.claude(*arguments)
    process.close_input()
    done = process.wait(60)
    assert done.status == 0, done
    return done.stdout


def test_the_client_takes_the_plugin_for_valid(alice: Person) -> None:
    status, said = validate(alice, PLUGIN)
    assert status == 0, said
    assert "Validation passed" in said
    assert "warning" not in said.lower()


def test_the_client_takes_the_repository_for_a_marketplace(alice: Person) -> None:
    status, said = validate(alice, REPOSITORY)
    assert status == 0, said
    assert "warning" not in said.lower()


def test_the_client_complains_of_a_plugin_that_listens_to_an_unknown_event(alice: Person) -> None:
    assert alice.start(["cp", "-r", PLUGIN, "plugin"]).wait().status == 0
    hooks = json.loads(alice.read("plugin/hooks/hooks.json"))
    hooks["hooks"]["NoSuchEvent"] = hooks["hooks"]["Stop"]
    alice.write("plugin/hooks/hooks.json", json.dumps(hooks))
    status, said = validate(alice, f"{alice.home}/plugin")
    assert status != 0 or "warning" in said  # an older client rejects it, a newer one ignores the event
    assert "NoSuchEvent" in said


def test_the_plugin_is_installed_by_name_and_gone_when_it_is_uninstalled(alice: Person) -> None:
    status, said = validate(alice, REPOSITORY)
    assert status == 0, said
    run(alice, "plugin", "marketplace", "add", REPOSITORY)
    run(alice, "plugin", "install", NAMED)
    assert json.loads(alice.read(".claude/settings.json"))["enabledPlugins"] == {NAMED: True}
    assert NAMED in run(alice, "plugin", "list")
    with running(alice.start_observatory("serve", "--socket", SOCKET)) as server:
        while "listening on" not in server.read_line("stderr"):
            pass
        assert alice.turn("do:{}", more={"CLAUDE_UNIX_HOOK_WATCHER": SOCKET}).status == 0
        assert "SessionEnd" in alice.observatory("events", "--json", "--socket", SOCKET)
    run(alice, "plugin", "uninstall", NAMED)
    assert NAMED not in run(alice, "plugin", "list")


def test_an_agent_whose_connection_fails_asks_why(alice: Person, audit: Person) -> None:
    """The model is a stand-in, which knows of the skill and of its command only what the client tells it."""
    alice.write("harness", '#!/bin/sh\nPYTHONPATH=/opt/observatory exec python3 -m harness "$@"\n')
    assert alice.start(["chmod", "755", "harness"]).wait().status == 0
    asked = {"bash": f"curl -sS --unix-socket {SHUT} http://localhost/", "skill": "socket", "path": SHUT}
    more = {"CLAUDE_UNIX_HOOK_WATCHER": SOCKET, "PATH": f"{alice.home}:/usr/bin:/bin"}
    with (
        running(audit.start_observatory("serve", "--socket", SHUT, "--mode", "0600")) as shut,
        running(alice.start_observatory("serve", "--socket", SOCKET)) as server,
    ):
        for each in (shut, server):
            while "listening on" not in each.read_line("stderr"):
                pass
        done = alice.turn(f"do:{json.dumps(asked)}", "--plugin-dir", PLUGIN, more=more)
        assert done.status == 0, done
        said = alice.observatory("events", "--json", "--socket", SOCKET).splitlines()
    tried = [event for event in map(json.loads, said) if event["_event"] in ("PostToolUse", "PostToolUseFailure")]
    assert [event["tool_name"] for event in tried] == ["Bash", "Skill", "Bash"]
    assert tried[0]["_event"] == "PostToolUseFailure"
    assert tried[2]["tool_input"]["command"] == f"harness explain {SHUT}"
    assert f"EACCES at {SHUT}" in json.dumps(tried[2])
    assert f"chmod o+w {SHUT}" in json.dumps(tried[2])


def test_a_session_with_the_plugin_is_recorded(alice: Person) -> None:
    with running(alice.start_observatory("serve", "--socket", SOCKET)) as server:
        while "listening on" not in server.read_line("stderr"):
            pass
        done = alice.turn('do:{"bash": "true"}', "--plugin-dir", PLUGIN, more={"CLAUDE_UNIX_HOOK_WATCHER": SOCKET})
        assert done.status == 0, done
        said = alice.observatory("events", "--json", "--socket", SOCKET).splitlines()
    names = [json.loads(line)["_event"] for line in said]
    assert names[:4] == ["SessionStart", "UserPromptSubmit", "PreToolUse", "PostToolUse"]
    assert names[-1] == "SessionEnd"
