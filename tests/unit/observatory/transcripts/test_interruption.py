"""A transcript that ends with the user's interruption says when, and every other one nothing."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from observatory.transcripts import interruption
from observatory.transcripts.files import Transcript
from observatory.transcripts.interruption import interrupted

if TYPE_CHECKING:
    from pathlib import Path

TOOL = "[Request interrupted by user for tool use]"
WHEN = datetime(2026, 11, 29, 11, 40, 16, 358000, UTC)


def line(kind: str, content: Any, **more: Any) -> dict[str, Any]:
    """A line as Claude Code 2.1.197 writes it, less what nobody reads."""
    said = {"role": kind, "content": content}
    return {"isSidechain": False, "type": kind, "message": said, "timestamp": "2026-11-29T11:40:16.358Z", **more}


MARKED = line("user", [{"type": "text", "text": TOOL}])
RESULT = line("user", [{"type": "tool_result", "tool_use_id": "t", "content": "No.", "is_error": True}])
ANSWER = line("assistant", [{"type": "text", "text": TOOL}])
AFTER = {"type": "last-prompt", "lastPrompt": "go", "sessionId": "s"}
SYSTEM = {"type": "system", "timestamp": "2026-11-29T11:41:00Z", "content": "x"}


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([RESULT, MARKED], WHEN),
        ([MARKED, AFTER, SYSTEM], WHEN),
        ([line("user", "[Request interrupted by user]")], WHEN),
        ([MARKED, line("assistant", "x", isSidechain=True)], WHEN),
        ([MARKED, line("user", "go on")], None),
        ([ANSWER], None),
        ([RESULT], None),
        ([line("user", f"What is {TOOL}?")], None),
        ([AFTER], None),
        ([], None),
        ([line("user", {"text": TOOL})], None),
        ([line("user", [7, {"text": 7}])], None),
    ],
)
def test_the_last_message_decides(tmp_path: Path, lines: list[dict[str, Any]], expected: datetime | None) -> None:
    path = tmp_path / "s.jsonl"
    path.write_text("".join(json.dumps(each) + "\n" for each in lines) + '{"type":"user","mess', encoding="utf-8")
    assert interrupted(Transcript(str(path), os.geteuid())) == expected


def test_only_the_end_of_a_long_one_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interruption, "TAIL", 1000)
    path = tmp_path / "s.jsonl"
    path.write_text(json.dumps(line("user", "x" * 5000)) + "\n" + json.dumps(MARKED) + "\n", encoding="utf-8")
    assert interrupted(Transcript(str(path), os.geteuid())) == WHEN
    path.write_text(json.dumps(MARKED) + "\n" + json.dumps(line("user", "x" * 5000)) + "\n", encoding="utf-8")
    assert interrupted(Transcript(str(path), os.geteuid())) is None


def test_what_is_not_its_owners_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "s.jsonl"
    path.write_text(json.dumps(MARKED) + "\n", encoding="utf-8")
    with pytest.raises(PermissionError, match="belongs to uid"):
        interrupted(Transcript(str(path), os.geteuid() + 1))
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="a named pipe"):
        interrupted(Transcript(str(tmp_path / "pipe"), os.geteuid()))
