"""Engines: ways to make a place. Each is one small file; what they share is the agent."""

from __future__ import annotations

import importlib
import logging
from typing import TYPE_CHECKING

from harness.engines.protocol import PlaceError

if TYPE_CHECKING:
    from harness.engines.protocol import Engine

ENGINES = {
    "docker": "harness.engines.docker:DockerEngine",
    "podman": "harness.engines.podman:PodmanEngine",
    "namespace": "harness.engines.namespace:NamespaceEngine",
    "vm": "harness.engines.vm.engine:VmEngine",
    "host": "harness.engines.host:HostEngine",
}
"""Where each engine is. An engine is loaded when it is asked for: docker's libraries are large."""

AUTOMATIC = ("docker", "namespace")
"""The engines that `auto` tries, in this order."""

_log = logging.getLogger(__name__)


def engine(name: str) -> Engine:
    """The engine of that name, available or not. Raises PlaceError if there is none."""
    if name not in ENGINES:
        raise PlaceError(f"there is no engine named {name!r}; there are auto, {', '.join(ENGINES)}")
    module, _, attribute = ENGINES[name].partition(":")
    made: Engine = getattr(importlib.import_module(module), attribute)()
    return made


def choose(name: str = "auto") -> Engine:
    """An engine that works here: the named one, or for `auto` the first that does, saying which and why.

    Raises PlaceError with what to install if there is none.
    """
    if name != "auto":
        chosen = engine(name)
        if (reason := chosen.available()) is not None:
            raise PlaceError(reason)
        return chosen
    reasons: list[str] = []
    for candidate in map(engine, AUTOMATIC):
        reason = candidate.available()
        if reason is None:
            _log.warning(
                "engine: %s%s", candidate.name, f" ({'; '.join(reasons)})" if reasons else " (it answers here)"
            )
            return candidate
        reasons.append(reason)
    raise PlaceError("no engine works here: " + "; ".join(reasons))
