"""The fields of a thread's status, as proc(5) has them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def status_fields(thread: int) -> dict[bytes, bytes]:
    """What /proc/THREAD/status says, by key. Raises OSError."""
    return by_key(Path(f"/proc/{thread}/status").read_bytes().split(b"\n"))


def by_key(lines: Iterable[bytes]) -> dict[bytes, bytes]:
    """Lines of such a file, as fdinfo is one too: a key, a colon, a tab and what it has."""
    return {key: value for key, _, value in (line.partition(b":\t") for line in lines)}


def field(thread: int, name: str) -> str:
    """One field; nothing where the thread is gone or has no such field."""
    try:
        return os.fsdecode(status_fields(thread).get(name.encode(), b""))
    except OSError:
        return ""
