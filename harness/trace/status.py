"""The fields of a thread's status, as proc(5) has them."""

from __future__ import annotations

import os
from pathlib import Path


def fields(thread: int) -> dict[str, str]:
    """Each field by its name. Raises OSError if the thread is gone."""
    lines = os.fsdecode(Path(f"/proc/{thread}/status").read_bytes()).split("\n")
    return dict(line.split(":\t", 1) for line in lines if ":\t" in line)


def field(thread: int, name: str) -> str:
    """One of them; nothing where the thread is gone or has no such field."""
    try:
        return fields(thread).get(name, "")
    except OSError:
        return ""
