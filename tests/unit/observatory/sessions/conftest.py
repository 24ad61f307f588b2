"""A loop that watches the lifetimes of sessions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from observatory.sessions import lifetimes
from tests.helpers.directories import short_directory
from tests.helpers.session_processes import Loop

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def loop(monkeypatch: pytest.MonkeyPatch) -> Iterator[Loop]:
    monkeypatch.setattr(lifetimes, "INTERVAL", 0)
    with short_directory() as directory:
        made = Loop(directory)
        yield made
        made.close()
