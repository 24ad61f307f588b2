"""Codex and Gemini CLI themselves, from npm, with hooks that `install-hooks --client` wrote."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from observatory.sessions.state import sessions
from tests.client.other_apis import COMMAND, LAST_WORDS, answering
from tests.helpers.directories import short_directory
from tests.helpers.observatory_command import command, environment
from tests.helpers.observatory_server import serving

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
PROGRAMS = Path(os.environ.get("OTHER_CLIENTS", ROOT / ".cache" / "other-clients")) / "node_modules" / ".bin"
TURN = ["SessionStart", "UserPromptSubmit", "PreToolUse", "PostToolUse", "Stop", "SessionEnd"]
CONFIG = """
model = "gpt-5"
model_provider = "standin"
[model_providers.standin]
name = "standin"
base_url = "{}/v1"
wire_api = "responses"
"""


@pytest.fixture
def home() -> Iterator[Path]:
    with short_directory() as directory:
        (directory / "project").mkdir()
        yield directory


def program(name: str) -> str:
    path = PROGRAMS / name
    if not path.exists():
        (pytest.fail if "CI" in os.environ else pytest.skip)(f"there is no {path}: `nox -s client` installs it")
    return str(path)


@pytest.mark.parametrize("client", ["codex", "gemini"])
def test_a_turn_of_another_agent_is_recorded_as_one_of_claude_code(client: str, home: Path) -> None:
    words = {
        "codex": [program(client), "exec", "--dangerously-bypass-hook-trust", "--skip-git-repo-check", "Greet."],
        "gemini": [program(client), "-m", "gemini-2.5-flash", "--yolo", "-p", "Greet."],
    }[client]
    known = {"PATH": "/usr/bin:/bin", "HOME": str(home), "LANG": "C.UTF-8", "GEMINI_API_KEY": "a-key"}
    with serving() as server, answering() as api:
        subprocess.run(
            command("install-hooks", "--client", client, "--global", "--socket", server.path),
            env=environment(home),
            check=True,
            stdout=subprocess.DEVNULL,
        )
        if client == "codex":
            (home / ".codex" / "config.toml").write_text(CONFIG.format(api), encoding="utf-8")
        else:
            settings = home / ".gemini" / "settings.json"
            own = {
                "security": {"auth": {"selectedType": "gemini-api-key"}},
                "privacy": {"usageStatisticsEnabled": False},
            }
            settings.write_text(json.dumps(json.loads(settings.read_text()) | own), encoding="utf-8")
        done = subprocess.run(
            words,
            cwd=home / "project",
            env={**known, "GOOGLE_GEMINI_BASE_URL": api, "GEMINI_CLI_TRUST_WORKSPACE": "true"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert LAST_WORDS in done.stdout
        events = server.events()
    assert [event["_event"] for event in events] == TURN
    assert {event["cwd"] for event in events} == {str(home / "project")}
    by_name = {event["_event"]: event for event in events}
    assert by_name["UserPromptSubmit"]["prompt"] == "Greet."
    assert by_name["PreToolUse"]["tool_input"]["command"] == COMMAND
    assert by_name["PreToolUse"]["hook_event_name"] == {"codex": "PreToolUse", "gemini": "BeforeTool"}[client]
    states = [sessions(events[: number + 1])[0].state for number in range(len(events))]
    assert states == ["fresh", "working", "running a tool", "working", "idle", "ended"]
    (session,) = sessions(events)
    assert session.session_id == events[0]["session_id"]
