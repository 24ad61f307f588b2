"""The place of a suite."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from harness.engines.protocol import Engine, Place


def opened(engine: Engine, request: pytest.FixtureRequest, *mounts: str) -> AbstractContextManager[Place]:
    """A place with these mounts, in the image that `--harness-image` names."""
    return engine.open(image=request.config.getoption("--harness-image"), mounts=mounts)


def place_fixture(*mounts: str, scope: Literal["session", "package"] = "session") -> Any:
    """The fixture `place` of a suite whose tests share one, with these mounts."""

    @pytest.fixture(scope=scope)
    def place(engine: Engine, request: pytest.FixtureRequest) -> Iterator[Place]:
        with opened(engine, request, *mounts) as made:
            yield made

    return place
