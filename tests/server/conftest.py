"""Real servers, started as anyone starts them, on this machine."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from tests.helpers.directories import short_directory
from tests.helpers.observatory_server import ObservatoryServer, start

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def full() -> bool:
    """Whether everything is done as often as it was promised, which takes many minutes: `OBSERVATORY_FULL=1`."""
    return os.environ.get("OBSERVATORY_FULL", "") not in {"", "0"}


@pytest.fixture
def directory() -> Iterator[Path]:
    """Short, as a socket's path has a hundred bytes at most, and open to every user of this machine to look into."""
    with short_directory(0o755) as path:
        yield path


@pytest.fixture
def serve(directory: Path) -> Iterator[Callable[..., ObservatoryServer]]:
    """Start `observatory serve` in `directory`; each is ended with the test, and must not have failed."""
    running: list[ObservatoryServer] = []

    def begin(*arguments: str, **options: Any) -> ObservatoryServer:
        running.append(start(directory, *arguments, **options))
        return running[-1]

    yield begin
    for server in running:
        server.end()
        assert "Traceback" not in server.log_text(), server.log_text()


@pytest.fixture
def server(serve: Callable[..., ObservatoryServer]) -> ObservatoryServer:
    """One server, as it is without any options."""
    return serve()
