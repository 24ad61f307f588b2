"""What is set aside is kept whole, for its owner alone, and not without bounds."""

from __future__ import annotations

import json
import os
import stat
from typing import TYPE_CHECKING

import pytest

from observatory.errors import ObservatoryError
from observatory.forward import dead_letters
from observatory.forward.dead_letters import DeadLetters

if TYPE_CHECKING:
    from pathlib import Path

LINE = b'{"_id":7,"_ts":"2026-01-01T00:00:00Z","_event":"Stop","big":123456789012345678901234567890}'


def test_an_event_is_set_aside_as_it_came_with_the_reason(tmp_path: Path) -> None:
    path = tmp_path / "cursor.refused"
    letters = DeadLetters(path)
    letters.add(LINE, "too large")
    letters.add(LINE, "bad")
    first, second = path.read_bytes().splitlines()
    assert LINE in first
    assert [json.loads(line)["refused"] for line in (first, second)] == ["too large", "bad"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_file_that_would_grow_too_large_stays_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "cursor.refused"
    letters = DeadLetters(path)
    letters.add(LINE, "bad")
    monkeypatch.setattr(dead_letters, "LARGEST", path.stat().st_size + 10)
    with pytest.raises(ObservatoryError, match="has no room for another event"):
        letters.add(LINE, "bad")
    assert len(path.read_bytes().splitlines()) == 1


def test_what_could_not_be_written_whole_is_taken_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "cursor.refused"
    letters = DeadLetters(path)
    letters.add(LINE, "bad")
    before = path.read_bytes()
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: write(descriptor, data[:20]))
    with pytest.raises(ObservatoryError, match="can't set an event aside in"):
        letters.add(LINE, "bad")
    monkeypatch.undo()
    assert path.read_bytes() == before


def test_a_link_in_its_place_is_not_followed(tmp_path: Path) -> None:
    path = tmp_path / "cursor.refused"
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ObservatoryError, match="symbolic link"):
        DeadLetters(path).add(LINE, "bad")
    assert not (tmp_path / "elsewhere").exists()
