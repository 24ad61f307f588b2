"""The plugin, as the client itself sees it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.client.conftest import running

if TYPE_CHECKING:
    from tests.client.conftest import Person

PLUGIN = "/opt/claude-plugin"


def validate(person: Person, path: str) -> tuple[int, str]:
    process = person.claude("plugin", "validate", path)
    process.close_input()
    done = process.wait(60)
    return done.status, done.stdout + done.stderr


def test_the_client_takes_the_plugin_for_valid(alice: Person) -> None:
    status, said = validate(alice, PLUGIN)
    assert status == 0, said
    assert "Validation passed" in said


def test_the_client_rejects_a_plugin_that_listens_to_an_unknown_event(alice: Person) -> None:
    assert alice.start(["cp", "-r", PLUGIN, "plugin"]).wait().status == 0
    hooks = json.loads(alice.read("plugin/hooks/hooks.json"))
    hooks["hooks"]["NoSuchEvent"] = hooks["hooks"]["Stop"]
    alice.write("plugin/hooks/hooks.json", json.dumps(hooks))
    status, said = validate(alice, f"{alice.home}/plugin")
    assert status != 0
    assert "NoSuchEvent" in said


def test_a_session_with_the_plugin_is_recorded(alice: Person) -> None:
    socket = "/tmp/mine.sock"
    with running(alice.start_observatory("serve", "--socket", socket)) as server:
        while "listening on" not in server.read_line("stderr"):
            pass
        done = alice.turn('do:{"bash": "true"}', "--plugin-dir", PLUGIN, more={"CLAUDE_UNIX_HOOK_WATCHER": socket})
        assert done.status == 0, done
        said = alice.observatory("events", "--json", "--socket", socket).splitlines()
    names = [json.loads(line)["_event"] for line in said]
    assert names[:4] == ["SessionStart", "UserPromptSubmit", "PreToolUse", "PostToolUse"]
    assert names[-1] == "SessionEnd"
