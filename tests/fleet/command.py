"""The command of this project, as a test runs it."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

from tests.helpers.observatory_command import command

if TYPE_CHECKING:
    from pathlib import Path


def environment(state: Path) -> dict[str, str]:
    return {**os.environ, "XDG_STATE_HOME": str(state), "PYTHONUNBUFFERED": "1"}


def run(*arguments: str, state: Path) -> subprocess.CompletedProcess[str]:
    """Run the command to its end."""
    return subprocess.run(
        command(*arguments), capture_output=True, text=True, env=environment(state), check=False, timeout=120
    )
