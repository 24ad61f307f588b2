"""Which extra of the distribution brings a library that is not installed here."""

from __future__ import annotations

import importlib.util

EXTRAS = {
    "docker": "docker",
    "pytest": "pytest",
    "rich": "harness",
    "testcontainers": "docker",
    "tomlkit": "harness",
    "uv": "subjects",
}
"""Each library that is imported only where it is used, and its extra."""


def lacking(library: str) -> str:
    """What to install for a library that `EXTRAS` names."""
    return f"needs {library}, which is not installed: pip install 'claude-observatory[{EXTRAS[library]}]'"


def is_installed(library: str) -> bool:
    """Whether it could be imported; it is not imported now. A directory of that name without code is none."""
    found = importlib.util.find_spec(library)
    return found is not None and found.origin is not None
