"""Events that the other side will never take: set aside in a file of this user's alone, so that later ones go on."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Final

import msgspec

from observatory.errors import ObservatoryError
from observatory.ownership import open_own_file

if TYPE_CHECKING:
    from pathlib import Path

LARGEST: Final = 64 * 1024 * 1024
"""Bytes of the file, at most. What would make it larger stays where it is, and all that comes after it waits."""


class DeadLetters:
    """A file of JSON lines: `refused`, why, and `event`, as the server gave it. It's made when the first one comes."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def add(self, line: bytes, reason: str) -> None:
        """Set an event aside. Raises ObservatoryError, and has added nothing then."""
        entry = msgspec.json.encode({"refused": reason, "event": msgspec.Raw(line)}) + b"\n"
        descriptor = open_own_file(str(self.path), os.O_WRONLY | os.O_APPEND, make=True)
        try:
            size = os.fstat(descriptor).st_size
            if size + len(entry) > LARGEST:
                raise ObservatoryError(
                    f"{self.path} has no room for another event that was refused: look at it, and move it away"
                )
            try:
                if os.write(descriptor, entry) != len(entry):
                    raise OSError(28, "only a part of it was written")
                os.fsync(descriptor)
            except OSError as error:
                with contextlib.suppress(OSError):
                    os.ftruncate(descriptor, size)
                raise ObservatoryError(f"can't set an event aside in {self.path}: {error.strerror}") from error
        finally:
            os.close(descriptor)
