"""The server with one of its guards taken out, to see that the attack bites then."""

from __future__ import annotations

import shutil
from pathlib import Path

SOURCE = Path(__file__).parents[2] / "observatory"


def without(directory: Path, module: str, *changes: tuple[str, str]) -> dict[str, dict[str, str]]:
    """A copy of the package in which `changes` have been made to a module: how to start a server from it."""
    copy = directory / "unguarded"
    if not copy.exists():
        shutil.copytree(SOURCE, copy / "observatory", ignore=shutil.ignore_patterns("__pycache__"))
    file = copy / "observatory" / module
    text = file.read_text()
    for guard, nothing in changes:
        assert text.count(guard) == 1, f"{module} has {text.count(guard)} times:\n{guard}"
        text = text.replace(guard, nothing)
    file.write_text(text)
    # Else `python -m` looks into the working directory first.
    return {"variables": {"PYTHONPATH": str(copy), "PYTHONSAFEPATH": "1"}}
