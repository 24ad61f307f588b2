"""A place that stands for a machine of which dev is an ordinary user, with a range of subordinate ids."""

from __future__ import annotations

import contextlib
import sys
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harness.engines.registry import choose
from harness.world import Node, User, World, complete

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.engines.protocol import Place

ROOT = Path(__file__).parents[2]
OUTSIDE = complete(
    World(
        "machine-with-a-user-who-has-subordinate-ids",
        users=(User("root", 0, 0), User("dev", 1000, 1000)),
        nodes=(Node("/home/dev", "directory", "dev", "dev", 0o755),),
    )
)
ENVIRONMENT = {"PYTHONPATH": "/opt/source:/opt/libraries", "HOME": "/home/dev", "PYTHONDONTWRITEBYTECODE": "1"}


@contextlib.contextmanager
def machine_of_dev(*mounts: str) -> Iterator[Place]:
    """The machine, with the harness and what it imports installed, and more mounts."""
    if sys.platform != "linux":
        pytest.skip("user namespaces are Linux's")
    installed = (f"{ROOT / 'harness'}:/opt/source/harness", f"{sysconfig.get_path('purelib')}:/opt/libraries")
    with choose("namespace").open(mounts=(*installed, *mounts)) as place:
        place.build(OUTSIDE)
        for name in ("subuid", "subgid"):
            write = f"echo dev:100000:65536 > /etc/{name}"
            assert place.run(["sh", "-c", write], OUTSIDE.principal("root")).status == 0
        yield place
