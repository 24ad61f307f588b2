"""The `observatory` command, as tests start it."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path


def command(*arguments: str) -> list[str]:
    """The command's words, by this very Python."""
    return [sys.executable, "-m", "observatory", *arguments]


def with_deadline(seconds: float, *arguments: str) -> list[str]:
    """The command with another deadline for peers than `observatory.service.limits` has: what is done when it is over
    does not depend on how long it was.
    """
    text = (
        "import sys; from observatory.service import limits; limits.DEADLINE = float(sys.argv.pop(1)); "
        "from observatory.cli.main import main; sys.exit(main())"
    )
    return [sys.executable, "-c", text, str(seconds), *arguments]


def started(*arguments: str, **options: Any) -> subprocess.Popen[str]:
    """The command, started in the tester's own environment; it says each line at once."""
    return subprocess.Popen(command(*arguments), text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"}, **options)


def environment(directory: Path, **more: str) -> dict[str, str]:
    """Nothing of the tester's own: no state directory, no socket, no service manager. `directory` is the home."""
    kept = {name: os.environ[name] for name in ("PATH", "PYTHONPATH", "COVERAGE_PROCESS_START") if name in os.environ}
    return {**kept, "HOME": str(directory), "PYTHONDONTWRITEBYTECODE": "1", **more}
