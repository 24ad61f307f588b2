"""A client's settings file of a test's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.helpers.directories import short_directory

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    directory = tmp_path / ".claude"
    directory.mkdir()
    return directory / "settings.json"


@pytest.fixture
def no_client(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is installed on this machine, no client's version is known, so that all events are installed."""
    monkeypatch.setattr("observatory.hooks.program.client_version", lambda: None)


@pytest.fixture
def open_directory() -> Iterator[Path]:
    """A directory that every user reaches and may write to, which pytest's own is not."""
    with short_directory(0o777) as path:
        yield path
