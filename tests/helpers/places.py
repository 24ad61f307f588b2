"""The place of a suite."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, Literal

import pytest

from harness.engines import registry

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from harness.engines.protocol import Engine, Place


@functools.cache
def chosen(name: str, image: str | None = None) -> Engine:
    """The engine that a name means here, tried once: for `auto` that takes a container. Raises PlaceError."""
    return registry.choose(name, image)


def first_engine_name(config: pytest.Config) -> str:
    """The first of the engines that were asked for; of `auto` the one that makes a place in a third of the time."""
    first = str(config.getoption("--harness-engine")).partition(",")[0]
    if first != "auto" or config.getoption("--harness-image"):
        return first
    return "namespace" if registry.engine("namespace").available() is None else "auto"


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
