"""A machine's other user, who attacks; needs root, to become that user."""

from __future__ import annotations

import socket
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.helpers.directories import short_directory
from tests.helpers.observatory_server import ObservatoryServer
from tests.hostile.stranger import is_possible

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Say of each test why it can't be made where this process can't become another user."""
    if not is_possible():
        for item in items:
            if item.path.parent == Path(__file__).parent:
                item.add_marker(pytest.mark.skip(reason="only root can start another user's processes"))


@pytest.fixture
def shared() -> Iterator[Path]:
    """A directory like /tmp: everyone makes files in it, and nobody takes away another's."""
    with tempfile.TemporaryDirectory(prefix="o") as path:
        Path(path).chmod(0o1777)
        yield Path(path)


@pytest.fixture
def serve(shared: Path) -> Iterator[Callable[..., ObservatoryServer]]:
    """Start a server whose socket and database are in `shared`; each is ended with the test."""
    running: list[ObservatoryServer] = []

    def begin(*arguments: str, wait: bool = True, **options: Any) -> ObservatoryServer:
        running.append(ObservatoryServer(shared, *arguments, **options))
        running[-1].launch()
        if wait:
            running[-1].wait_until_listening()
        return running[-1]

    yield begin
    for server in running:
        server.process.kill()
        server.process.wait()
        if server.process.stderr is not None:
            server.process.stderr.close()


@pytest.fixture
def open_directory() -> Iterator[Path]:
    """A directory in which everyone makes and takes away files, under a short path."""
    with short_directory(0o777) as path:
        yield path


@pytest.fixture
def dead_socket(open_directory: Path) -> str:
    """A socket file whose server is gone."""
    path = f"{open_directory}/db"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
    return path
