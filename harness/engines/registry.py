"""Engines: ways to make a place. Each is one small file; what they share is the agent."""

from __future__ import annotations

import importlib
import logging
import os
from typing import TYPE_CHECKING

from harness.engines.cache.images import OF_PLACES, SUITES
from harness.engines.error import PlaceError
from harness.engines.extras import is_installed, lacking

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

LIBRARIES = {"docker": ("docker", "testcontainers"), "podman": ("docker", "testcontainers")}
"""What engines import that only an extra brings."""

AUTOMATIC = ("docker", "namespace")
"""The engines that `auto` tries, in this order."""

_log = logging.getLogger(__name__)


def engine(name: str) -> Engine:
    """The engine of that name, available or not. Raises PlaceError if there is none, or if it lacks a library."""
    if name not in ENGINES:
        raise PlaceError(f"there is no engine named {name!r}; there are auto, {', '.join(ENGINES)}")
    for library in LIBRARIES.get(name, ()):
        if not is_installed(library):
            raise PlaceError(f"the {name} engine {lacking(library)}")
    module, _, attribute = ENGINES[name].partition(":")
    made: Engine = getattr(importlib.import_module(module), attribute)()
    return made


def choose(name: str = "auto", image: str | None = None) -> Engine:
    """An engine that works here: the named one, or for `auto` the first that does, saying which and why.

    For `auto` an engine works if it sees the files of this machine, and has the image that places are made of if none
    is named; that is made now. Raises PlaceError with what to install if there is none.
    """
    if name != "auto":
        chosen = engine(name)
        if (reason := chosen.available()) is not None:
            raise PlaceError(reason)
        return chosen
    reasons: list[str] = []
    for candidate_name in AUTOMATIC:
        try:
            candidate = engine(candidate_name)
            reason = candidate.available() or _far(candidate_name)
            if reason is None and image is None:
                candidate.image_with(SUITES[0], OF_PLACES)
        except PlaceError as error:
            reasons.append(str(error))
            continue
        if reason is None:
            _log.warning(
                "engine: %s%s", candidate.name, f" ({'; '.join(reasons)})" if reasons else " (it answers here)"
            )
            return candidate
        reasons.append(reason)
    raise PlaceError("no engine works here: " + "; ".join(reasons))


def _far(name: str) -> str | None:
    """Why places of an engine would not see this machine's files; `None` if they may."""
    host = os.environ.get("DOCKER_HOST", "")
    if name == "docker" and host and not host.startswith("unix://"):
        return (
            f"DOCKER_HOST is {host}, and a container there does not see the files of this machine; for what needs "
            "none, --engine docker"
        )
    return None
