"""Engines: ways to make a place. Each is one small file; what they share is the agent."""

from __future__ import annotations

import importlib
import logging
import os
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from harness.engines.cache.images import OF_PLACES, SUITES
from harness.engines.error import PlaceError
from harness.engines.extras import is_installed, lacking
from harness.engines.leftovers import temporary_directory
from harness.world import ROOT

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

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
"""Where an engine may be this machine's own; it may also be another's, forwarded by ssh."""
TRIAL = "/opt/harness-trial"
"""Where the place that is made to see whether one can be has a file of this machine's."""

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

    For `auto` docker works if it has the image that places are made of, which is made now if none is named, and if a
    place of it can be made, which is tried, and sees the files of this machine. Raises PlaceError with what to install
    if no engine works.
    """
    if name != "auto":
        chosen = engine(name)
        if (reason := chosen.available()) is not None:
            raise PlaceError(reason)
        return chosen
    reasons: list[str] = []
    for candidate_name in AUTOMATIC:
        try:
            candidate = _working(candidate_name, image)
        except PlaceError as error:
            reasons.append(str(error))
            continue
        _log.warning("engine: %s%s", candidate.name, f" ({'; '.join(reasons)})" if reasons else " (it answers here)")
        return candidate
    raise PlaceError("no engine works here: " + "; ".join(reasons))


def _working(name: str, image: str | None) -> Engine:
    """That engine. Raises PlaceError with the reason if it can make no place here."""
    candidate = engine(name)
    reason = _far(name) or candidate.available()
    if reason is None and name == "docker":
        if image is None:
            candidate.image_with(SUITES[0], OF_PLACES)
        reason = _tried(candidate, image)
    if reason is not None:
        raise PlaceError(reason)
    return candidate


def _tried(candidate: Engine, image: str | None) -> str | None:
    """Why places of an engine that answers are of no use here; `None` if one was made and sees this machine's files."""
    with temporary_directory("harness-") as directory:
        directory.chmod(0o755)
        (directory / "seen").touch()
        try:
            with candidate.open(image=image, mounts=[f"{directory}:{TRIAL}"]) as place:
                if place.run(["test", "-e", f"{TRIAL}/seen"], ROOT).status == 0:
                    return None
        except PlaceError as error:
            if str(directory) not in str(error):
                return str(error)
    return (
        f"the {candidate.name} engine does not see the files of this machine, so it runs on another one or outside of "
        f"this container; for what needs none, --engine {candidate.name}"
    )


def _far(name: str) -> str | None:
    """Why places of an engine would not see this machine's files; `None` if they may."""
    host = os.environ.get("DOCKER_HOST", "")
    to = urlsplit(host)
    if name == "docker" and host and to.scheme != "unix" and to.hostname not in LOOPBACK:
        return (
            f"DOCKER_HOST is {host}, and a container there does not see the files of this machine; for what needs "
            "none, --engine docker"
        )
    return None
