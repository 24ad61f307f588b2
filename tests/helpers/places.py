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


QUICK = "namespace"
"""The engine that makes a place in a third of the time that others take."""


@functools.cache
def chosen(name: str, image: str | None = None) -> Engine:
    """The engine that a name means here, tried once: for `auto` that takes a container. Raises PlaceError."""
    return registry.choose(name, image)


def one_engine_name(config: pytest.Config) -> str:
    """The engine of what is the same in all: of those that were asked for, or that `auto` stands for, the one that is
    quick; else the first.
    """
    asked = str(config.getoption("--harness-engine")).split(",")
    if config.getoption("--harness-image"):
        return asked[0]
    if QUICK in asked or (asked == ["auto"] and registry.engine(QUICK).available() is None):
        return QUICK
    return asked[0]


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
