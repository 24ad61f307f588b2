"""The `harness` command inside a place, where nothing but Python's standard library is installed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness.world import Principal

if TYPE_CHECKING:
    from harness.place import Completed, Place

ROOT = Principal(0, 0)
MOUNTS = (f"{Path(__file__).parents[2] / 'harness'}:/opt/explain/harness",)
ENVIRONMENT = {"PYTHONPATH": "/opt/explain", "PYTHONDONTWRITEBYTECODE": "1", "PYTHONIOENCODING": "utf-8"}


@dataclass(frozen=True)
class Explained:
    """What `harness explain` said: the outcome and component of its first line, its reason, and all of it."""

    status: int
    outcome: str
    at: str | None
    why: str
    text: str


def harness(place: Place, *arguments: str, principal: Principal = ROOT, directory: str = "/") -> Completed:
    """Run the command in the place."""
    return place.run(["python3", "-m", "harness", *arguments], principal, environment=ENVIRONMENT, directory=directory)


def explain(place: Place, *arguments: str, principal: Principal = ROOT, directory: str = "/") -> Explained:
    """Explain something in the place."""
    done = harness(place, "explain", *arguments, principal=principal, directory=directory)
    assert not done.stderr, done.stderr
    first = done.stdout.splitlines()[0]
    told = re.search(r": (ok|E[A-Z]+|not known)(?: (?:at|beyond) (.*))?$", first)
    assert told is not None, done.stdout
    why = re.search(r"^  why    (.*)$", done.stdout, re.MULTILINE)
    return Explained(done.status, told[1], told[2], "" if why is None else why[1], done.stdout)
