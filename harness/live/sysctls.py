"""The kernel's settings that can turn an attempt."""

from __future__ import annotations

import contextlib
from pathlib import Path

NAMES = ("fs.protected_symlinks", "fs.protected_hardlinks", "fs.protected_regular", "fs.protected_fifos")


def read_sysctls() -> dict[str, int]:
    """Those that this kernel has and shows."""
    found: dict[str, int] = {}
    for name in NAMES:
        with contextlib.suppress(OSError, ValueError):
            found[name] = int(Path("/proc/sys", *name.split(".")).read_text("ascii"))
    return found
