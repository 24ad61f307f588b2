"""The server with one of its guards taken out, to see that the attack bites then."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

SOURCE = Path(__file__).parents[2] / "observatory"


@dataclass(frozen=True, slots=True)
class Guard:
    """What of a module of the package is a guard: each of its texts, and what stands there without it.

    They are constants of the tests' modules, so that tests/unit/test_faults.py sees that the package still has them.
    """

    module: str
    changes: tuple[tuple[str, str], ...]

    def taken_out(self, text: str) -> str:
        """The module's text without it."""
        for guard, nothing in self.changes:
            assert text.count(guard) == 1, f"{self.module} has {text.count(guard)} times:\n{guard}"
            text = text.replace(guard, nothing)
        return text


def without(directory: Path, *guards: Guard) -> dict[str, dict[str, str]]:
    """A copy of the package in which these guards have been taken out: how to start a server from it."""
    copy = directory / "unguarded"
    if not copy.exists():
        # With what is compiled, which holds for each module that is not changed; not with what is being written.
        shutil.copytree(SOURCE, copy / "observatory", ignore=shutil.ignore_patterns("*.pyc.*"))
    for guard in guards:
        file = copy / "observatory" / guard.module
        file.write_text(guard.taken_out(file.read_text()))
    # Else `python -m` looks into the working directory first.
    return {"variables": {"PYTHONPATH": str(copy), "PYTHONSAFEPATH": "1"}}
