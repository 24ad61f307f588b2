"""Other agents' hooks are installed where these look for them, and events go by the names that they have here."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from observatory.cli.main import main
from observatory.hooks import event_names
from observatory.hooks.clients import CLIENTS
from observatory.sessions.state import sessions

if TYPE_CHECKING:
    from pathlib import Path

FILES = {"codex": ".codex/hooks.json", "gemini": ".gemini/settings.json", "cursor": ".cursor/hooks.json"}


@pytest.mark.parametrize("client", FILES)
def test_each_event_is_one_that_is_known_here(client: str) -> None:
    assert set(CLIENTS[client].events.values()) <= set(event_names.ALL)


@pytest.mark.parametrize("client", FILES)
@pytest.mark.parametrize("scope", ["--global", "--project"])
def test_hooks_come_and_go_and_all_else_stays(
    client: str, scope: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("home", "project"):
        (tmp_path / name).mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("CODEX_HOME", raising=False)
    monkeypatch.chdir(tmp_path / "project")
    path = tmp_path / ("home" if scope == "--global" else "project") / FILES[client]
    before = '{ "theme": "dark",\n "hooks": {"Stop": [{"hooks": [{"type": "command", "command": "true"}]}]} }'
    if client == "cursor":
        before = '{ "version": 1,\n "hooks": {"stop": [{"command": "./true.sh"}], "preToolUse": [] } }'
    path.parent.mkdir()
    path.write_text(before)
    assert main(["install-hooks", "--client", client, scope, "--socket", "/tmp/o.sock"]) == 0
    hooks = json.loads(path.read_text())["hooks"]
    for event, name in CLIENTS[client].events.items():
        hook = hooks[event][-1] if client == "cursor" else hooks[event][-1]["hooks"][0]
        assert f"/hook?event={name}'" in hook["command"]
        assert hook["timeout"] == {"codex": 2, "gemini": 2000, "cursor": 2}[client]
    assert main(["uninstall-hooks", "--client", client, scope]) == 0
    assert path.read_text() == before
    assert str(path) in capsys.readouterr().out


def test_a_new_file_of_cursors_has_a_version_and_is_gone_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["install-hooks", "--client", "cursor", "--project", "--socket", "/tmp/o.sock"]) == 0
    written = json.loads((tmp_path / ".cursor" / "hooks.json").read_text())
    assert written["version"] == 1
    assert {len(hooks) for hooks in written["hooks"].values()} == {1}
    assert main(["install-hooks", "--client", "cursor", "--project", "--socket", "/tmp/o.sock"]) == 0
    assert json.loads((tmp_path / ".cursor" / "hooks.json").read_text()) == written
    assert main(["uninstall-hooks", "--client", "cursor", "--project"]) == 0
    assert not (tmp_path / ".cursor" / "hooks.json").exists()


def test_codex_keeps_its_files_where_its_variable_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CODEX_HOME", str(tmp_path))
    assert main(["install-hooks", "--client", "codex", "--global", "--socket", "/tmp/o.sock"]) == 0
    assert (tmp_path / "hooks.json").exists()
    assert "Claude Code" not in capsys.readouterr().out


def test_a_tool_of_gemini_waits_for_permission() -> None:
    asked = [
        {"_event": "UserPromptSubmit"},
        {"_event": "PreToolUse", "tool_name": "run_shell_command"},
        {"_event": "Notification", "notification_type": "ToolPermission", "message": "Allow it?"},
        {"_event": "PostToolUse", "tool_name": "run_shell_command"},
    ]
    events = [{"_ts": f"2026-01-01T00:00:0{n}Z", "_peer_uid": 0, "session_id": "s", **e} for n, e in enumerate(asked)]
    assert sessions(events[:3])[0].state == "waiting for permission"
    assert sessions(events)[0].state == "working"
