"""The names of events that the client knows are those that this package knows, in the same order."""

from __future__ import annotations

import json
import mmap
import os
import re
from pathlib import Path

import pytest

from observatory.hooks.event_names import ALL, SINCE, Version

LISTS = re.compile(rb'\["PreToolUse"(?:,"[A-Za-z]+")+\]')
"""The client has its names in a list, and parts of them in others."""


def installed(folder: Path) -> tuple[Version, tuple[str, ...]]:
    """The version of the client that npm has installed there, and the names in its program."""
    packages = folder / "node_modules" / "@anthropic-ai"
    version = json.loads((packages / "claude-code" / "package.json").read_text())["version"]
    major, minor, patch = map(int, version.split("."))
    found: set[bytes] = set()
    for file in (*packages.glob("claude-code-*/claude"), *packages.glob("claude-code/cli.js")):
        with file.open("rb") as program, mmap.mmap(program.fileno(), 0, access=mmap.ACCESS_READ) as data:
            found.update(LISTS.findall(data))
    assert found, f"no list of events is in the program in {packages}: look how it has them now"
    return (major, minor, patch), tuple(json.loads(max(found, key=len)))


@pytest.fixture
def newest() -> Path:
    folder = Path(os.environ.get("CLAUDE_CODE_NEWEST", ""))
    if not os.environ.get("CLAUDE_CODE_NEWEST"):
        pytest.skip("the newest client is not here: `nox -s newest` installs it")
    return folder


def test_the_newest_client_knows_the_same_events(newest: Path) -> None:
    version, names = installed(newest)
    assert names == ALL
    assert max(SINCE.values()) <= version


def test_the_oldest_client_that_the_plugin_is_for_knows_what_the_package_says_of_it(newest: Path) -> None:
    """With a control: the newest knows more than the one that stands beside it."""
    beside = newest.with_name("claude-code")
    if not beside.exists():
        pytest.skip("no older client stands beside the newest: `nox -s client` installs one")
    version, names = installed(beside)
    assert names == tuple(name for name in ALL if SINCE.get(name, version) <= version)
    assert set(names) < set(installed(newest)[1])
