"""The commands of docs/cost.md do what it says, for a session of that id."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tests.helpers.documents import code_blocks
from tests.helpers.observatory_command import environment

if TYPE_CHECKING:
    from collections.abc import Callable

TEXT = (Path(__file__).parents[4] / "docs" / "cost.md").read_text(encoding="utf-8")


def test_its_commands_add_up(tmp_path: Path, line: Callable[..., bytes]) -> None:
    session = "0a1b2c3d-1111-2222-3333-444455556666"
    transcript = tmp_path / ".claude" / "projects" / "-home-me" / f"{session}.jsonl"
    transcript.parent.mkdir(parents=True)
    transcript.write_bytes(line(1, sessionId=session) + line(2, sessionId=session, agentId="a1"))
    (commands,) = code_blocks(TEXT, "sh")
    shown = []
    for command in commands.splitlines():
        words = command.split()
        assert words[0] == "observatory"
        done = subprocess.run(
            [sys.executable, "-m", *words], env=environment(tmp_path), capture_output=True, text=True, check=True
        )
        shown.append(done.stdout)
    assert "0a1b2c3d" in shown[0]
    assert len(shown[1].splitlines()) == 5  # the headings, the main agent and the other, all, the prices' date
    assert [json.loads(row).get("day") for row in shown[2].splitlines()] == ["2026-11-29", None]
