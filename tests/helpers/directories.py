"""Directories for sockets."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextlib.contextmanager
def short_directory(mode: int = 0o700) -> Iterator[Path]:
    """A directory for a while, with a short name: a socket's path has a hundred bytes at most."""
    with tempfile.TemporaryDirectory(prefix="o-", dir="/tmp") as name:
        Path(name).chmod(mode)
        yield Path(name)
