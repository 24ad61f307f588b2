"""Real NATS servers."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.fleet.bus import running
from tests.fleet.cluster import Cluster, network
from tests.helpers.directories import short_directory
from tests.helpers.observatory_server import ObservatoryServer, serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.fleet.bus import Bus


@pytest.fixture
def folder() -> Iterator[Path]:
    with short_directory() as made:
        yield made


@pytest.fixture
def server() -> Iterator[ObservatoryServer]:
    with serving(stdout=subprocess.DEVNULL) as running:
        yield running


@pytest.fixture
def nats_server(need: Callable[[str, str], str]) -> str:
    return need("nats-server", "nats-server")


@pytest.fixture
def cluster(nats_server: str) -> Iterator[Cluster]:
    if os.geteuid() != 0:
        pytest.skip("only root can make network namespaces, and cut a link between them")
    with network() as made, short_directory() as folder:
        running = Cluster(made, folder, nats_server)
        try:
            for node in (1, 2, 3):
                running.start(node)
            yield running
        finally:
            running.end_all()


@pytest.fixture
def bus(folder: Path, nats_server: str, need: Callable[[str, str], str]) -> Iterator[Bus]:
    with running(folder, nats_server, need("openssl", "openssl")) as made:
        yield made
