"""What is wrong with a world, for the person who wrote it."""

from __future__ import annotations


class WorldError(ValueError):
    """An invalid world: one sentence that names the file, the line where there is one, and the key."""
