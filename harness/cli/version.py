"""`harness --version`: the versions that matter in a report, and the engines that work here."""

from __future__ import annotations

import platform
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from harness.engines.error import PlaceError
from harness.engines.registry import ENGINES, engine

if TYPE_CHECKING:
    from harness.engines.protocol import Engine

DISTRIBUTION = "claude-observatory"


def versions() -> str:
    """The version of the harness, of Python and of the system, and a line for each engine."""
    try:
        own = version(DISTRIBUTION)
    except PackageNotFoundError:
        own = "of a checkout that is not installed"
    python = f"{platform.python_implementation()} {platform.python_version()}"
    lines = [f"harness {own}, {python}, {platform.system()} {platform.release()} {platform.machine()}"]
    asked = [_asked(name) for name in ENGINES]
    with ThreadPoolExecutor(len(ENGINES)) as pool:  # each waits for programs or a daemon
        lines += [f"  {name:9}  {state}" for name, state in zip(ENGINES, pool.map(_state, asked), strict=True)]
    return "\n".join(lines)


def _asked(name: str) -> Engine | str:
    """An engine to be asked, or why there is none. Libraries that import one another are imported one by one."""
    try:
        return engine(name)
    except PlaceError as error:
        return str(error)


def _state(asked: Engine | str) -> str:
    return asked if isinstance(asked, str) else asked.available() or "works here"
