"""Hooks are installed for the events that the client at hand knows: it complains to its user about any other."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from observatory.cli.main import main
from observatory.hooks import program
from observatory.hooks.event_names import ALL, SINCE, listened
from observatory.hooks.program import client_version

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def claude(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program of that name in PATH, whose words a test writes."""
    path = tmp_path / "bin" / "claude"
    path.parent.mkdir()
    path.touch(0o755)
    monkeypatch.setenv("PATH", f"{path.parent}:/usr/bin:/bin")
    return path


def says(path: Path, words: str, status: int = 0) -> None:
    path.write_text(f"#!/bin/sh\nprintf '%s' '{words}'\nexit {status}\n")


@pytest.mark.parametrize(
    ("words", "version"),
    [
        ("2.1.197 (Claude Code)\n", (2, 1, 197)),
        ("3.0.0-beta", (3, 0, 0)),
        ("2.1\n", None),
        ("", None),
        ("claude: no such option\n", None),
        ("\u0662.1.1", None),
    ],
)
def test_the_client_says_which_version_it_is(claude: Path, words: str, version: tuple[int, int, int] | None) -> None:
    says(claude, words)
    assert client_version() == version


def test_a_client_that_is_not_there_or_hangs_has_no_version(
    claude: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(program, "SECONDS", 0.1)
    claude.write_text("#!/bin/sh\nexec sleep 60\n")
    assert client_version() is None
    claude.chmod(0o644)
    assert client_version() is None
    claude.unlink()
    assert client_version() is None


def test_an_older_client_gets_the_events_that_it_knows() -> None:
    assert set(SINCE) <= set(ALL)
    assert len(listened(None)) == len(listened((2, 1, 332))) == 33
    assert set(listened(None)) - set(listened((2, 1, 251))) == {"PreSkillShellCommand"}
    assert set(listened((2, 1, 251))) - set(listened((2, 1, 250))) == {"PreModelSwitch", "PostModelSwitch"}
    assert len(listened((2, 1, 197))) == 29
    assert "MessageDisplay" not in listened((2, 1, 151))
    assert {"SessionStart", "PreToolUse", "SessionEnd"} <= set(listened((1, 0, 0)))


def test_the_command_installs_what_the_client_knows_and_says_what_it_left_out(
    claude: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    says(claude, "2.1.197 (Claude Code)")
    assert main(["install-hooks", "--project"]) == 0
    assert capsys.readouterr().out.endswith(
        "Left out, as Claude Code 2.1.197 doesn't know them yet: "
        "PreModelSwitch, PostModelSwitch, DirectoryAdded, PreSkillShellCommand.\n"
    )
    path = tmp_path / ".claude" / "settings.json"
    assert list(json.loads(path.read_text())["hooks"]) == list(listened((2, 1, 197)))
    says(claude, "2.1.332 (Claude Code)")
    assert main(["install-hooks", "--project"]) == 0
    assert "Left out" not in capsys.readouterr().out
    assert set(json.loads(path.read_text())["hooks"]) == set(listened(None))
