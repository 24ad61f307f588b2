"""`harness --version`: the versions that matter in a report, and the engines that work here."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

from harness.engines.error import PlaceError
from harness.engines.registry import ENGINES, engine

DISTRIBUTION = "claude-observatory"


def versions() -> str:
    """The version of the harness, of Python and of the system, and a line for each engine."""
    try:
        own = version(DISTRIBUTION)
    except PackageNotFoundError:
        own = "of a checkout that is not installed"
    python = f"{platform.python_implementation()} {platform.python_version()}"
    lines = [f"harness {own}, {python}, {platform.system()} {platform.release()} {platform.machine()}"]
    lines += [f"  {name:9}  {_state(name)}" for name in ENGINES]
    return "\n".join(lines)


def _state(name: str) -> str:
    try:
        return engine(name).available() or "works here"
    except PlaceError as error:
        return str(error)
