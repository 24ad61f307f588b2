"""A place into which the harness itself has been brought, so that `harness explain` can look around in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.helpers.harness_command import MOUNTS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.engines.protocol import Engine, Place


@pytest.fixture(scope="session")
def place(engine: Engine, request: pytest.FixtureRequest) -> Iterator[Place]:
    """A place with the harness in it."""
    with engine.open(image=request.config.getoption("--image"), mounts=MOUNTS) as opened:
        yield opened
