"""A loop that watches the lifetimes of sessions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.helpers.session_processes import Loop


@pytest.fixture
def loop(monkeypatch: pytest.MonkeyPatch) -> Iterator[Loop]:
    # Imported here, since a session's state is tested on systems without processes too.
    from observatory.sessions import lifetimes
    from tests.helpers.directories import short_directory
    from tests.helpers.session_processes import Loop

    monkeypatch.setattr(lifetimes, "INTERVAL", 0)
    with short_directory() as directory:
        made = Loop(directory)
        yield made
        made.close()
