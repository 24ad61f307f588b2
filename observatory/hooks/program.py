"""Which Claude Code is installed here: asked of the program itself."""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from observatory.hooks.event_names import Version

SECONDS = 10.0


def client_version(program: str = "claude") -> Version | None:
    """The version of the client that is found in PATH; `None` if there is none, or if it doesn't say."""
    try:
        said = subprocess.run(
            [program, "--version"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=SECONDS,
            check=False,
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.match(r"(\d{1,9})\.(\d{1,9})\.(\d{1,9})\b", said, re.ASCII)
    return (int(found[1]), int(found[2]), int(found[3])) if found else None
