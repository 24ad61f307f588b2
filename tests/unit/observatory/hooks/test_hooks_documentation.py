"""What docs/hooks.md shows is what the code has, and its commands do what it says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from observatory.hooks.command import Recipient, hook_command
from observatory.hooks.event_names import SINCE, listened
from tests.helpers.deadline import until
from tests.helpers.directories import short_directory
from tests.helpers.documents import code_blocks
from tests.helpers.observatory_server import start

TEXT = (Path(__file__).parents[4] / "docs" / "hooks.md").read_text(encoding="utf-8")


def test_the_command_is_the_one_that_is_installed() -> None:
    own = Recipient("/run/user/1000/claude-observatory.sock", place="own")
    shared = Recipient("/tmp/claude-observatory.sock", place="shared")
    assert code_blocks(TEXT, "") == [hook_command("Stop", recipient) + "\n" for recipient in (own, shared)]


def test_the_events_are_those_that_are_listened_to_with_their_versions() -> None:
    told: dict[str, str] = {}
    for version, names in re.findall(r"^\| (before 2\.1\.33|\d+\.\d+\.\d+) \| (`.*`) \|$", TEXT, re.MULTILINE):
        told |= dict.fromkeys(re.findall(r"`(\w+)`", names), version)
    known = {event: ".".join(map(str, SINCE[event])) if event in SINCE else "before 2.1.33" for event in listened(None)}
    assert told == known


def done(command: str, home: Path, environment: dict[str, str]) -> list[str]:
    """What a command says that succeeds, in the end: on a busy machine `doctor` may find that a hook takes too long."""
    tried: list[subprocess.CompletedProcess[str]] = []

    def succeeds() -> bool:
        words = ["sh", "-c", command]
        tried.append(subprocess.run(words, cwd=home, env=environment, capture_output=True, text=True, check=False))
        return tried[-1].returncode == 0

    until(succeeds, lambda: f"{command} succeeds: {tried[-1]}")
    return tried[-1].stdout.splitlines()


@pytest.mark.usefixtures("curl")
def test_the_commands_do_what_is_said_of_them() -> None:
    (commands,) = code_blocks(TEXT, "sh")
    with short_directory() as home:
        (home / "observatory").write_text(f'#!/bin/sh\nexec {sys.executable} -m observatory "$@"\n')
        (home / "observatory").chmod(0o755)
        server = start(home)
        environment = {
            "HOME": str(home),
            "PATH": f"{home}:/usr/bin:/bin",
            "CLAUDE_UNIX_HOOK_WATCHER": server.path,
            "PYTHONPATH": os.pathsep.join(sys.path),
        }
        try:
            said = [done(command, home, environment) for command in commands.splitlines()]
        finally:
            server.end()
        settings = home / ".claude" / "settings.json"
        assert said[0][-1].startswith("Nothing was changed")
        assert said[1][-1] == f"{settings} has 33 hooks, which send to {server.path}."
        assert [line.split()[0] for line in said[2]] == ["ok"] * 7
        assert said[3][-1] == f"{settings} is removed: it held nothing but observatory's hooks."
        assert not settings.exists()
