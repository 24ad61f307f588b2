"""Real NATS servers."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.fleet.cluster import Cluster, network
from tests.web.conftest import folder, server, short_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

__all__ = ["cluster", "folder", "nats_server", "server"]


@pytest.fixture
def nats_server(need: Callable[[str, str], str]) -> str:
    return need("nats-server", "nats-server")


@pytest.fixture
def cluster(nats_server: str) -> Iterator[Cluster]:
    if os.geteuid() != 0:
        pytest.skip("only root can make network namespaces, and cut a link between them")
    with network() as made, short_folder() as place:
        running = Cluster(made, place, nats_server)
        try:
            for node in (1, 2, 3):
                running.start(node)
            yield running
        finally:
            running.end_all()


def environment(state: Path) -> dict[str, str]:
    return {**os.environ, "XDG_STATE_HOME": str(state), "PYTHONUNBUFFERED": "1"}


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "observatory", *arguments]


def run(*arguments: str, state: Path) -> subprocess.CompletedProcess[str]:
    """Run the command to its end."""
    return subprocess.run(
        command(*arguments), capture_output=True, text=True, env=environment(state), check=False, timeout=120
    )
