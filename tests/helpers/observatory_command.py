"""The `observatory` command, as tests start it."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def command(*arguments: str) -> list[str]:
    """The command's words, by this very Python."""
    return [sys.executable, "-m", "observatory", *arguments]


def environment(directory: Path, **more: str) -> dict[str, str]:
    """Nothing of the tester's own: no state directory, no socket, no service manager. `directory` is the home."""
    kept = {name: os.environ[name] for name in ("PATH", "PYTHONPATH", "COVERAGE_PROCESS_START") if name in os.environ}
    return {**kept, "HOME": str(directory), "PYTHONDONTWRITEBYTECODE": "1", **more}
