"""Places with nothing brought in: what the engines give by themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.engines.protocol import Engine, Place


@pytest.fixture(scope="package")
def place(engine: Engine, request: pytest.FixtureRequest) -> Iterator[Place]:
    with engine.open(image=request.config.getoption("--image")) as opened:
        yield opened
