"""Standard output and standard error as this program was given them, and as they are after a rotation of logs.

A program that rotates logs gives a file another name and sends SIGHUP. What is written from then on belongs into a new
file of the old name. The kernel's own SIGHUP is something else: the terminal is there no more.
"""

from __future__ import annotations

import contextlib
import os
import stat
import sys
from typing import TYPE_CHECKING, Final

from observatory.errors import ObservatoryError
from observatory.ownership import open_own_file

if TYPE_CHECKING:
    from collections.abc import Iterator

_WRITTEN: Final = (1, 2)


def fill_standard_streams() -> None:
    """Where a standard stream is closed, the next file to be opened gets its number: it is not to be the database."""
    for descriptor in (0, *_WRITTEN):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)


class StandardStreams:
    """Where standard output and standard error led when this was made."""

    def __init__(self) -> None:
        self._files = {each: found for each in _WRITTEN if (found := _file(each)) is not None}
        self._terminals = [each for each in _WRITTEN if os.isatty(each)]

    def hung_up(self) -> bool:
        """Whether one of them was a terminal that has gone."""
        return not all(os.isatty(each) for each in self._terminals)  # the kernel answers EIO (tty_io.c)

    def reopen(self) -> Iterator[str]:
        """Open anew, by their names, those that were files; a sentence for each that stays what it was."""
        for descriptor, (path, mode) in self._files.items():
            try:
                new = open_own_file(path, os.O_WRONLY | os.O_APPEND, make=True, mode=mode)
            except (ObservatoryError, OSError) as error:
                yield f"the old file goes on to be written, since a new one can't be: {error}"
                continue
            os.dup2(new, descriptor)
            os.close(new)


def _file(descriptor: int) -> tuple[str, int] | None:
    """The path and the mode of a regular file, if the kernel tells its path: Linux's does (proc(5), /proc/PID/fd)."""
    found = os.fstat(descriptor)
    if sys.platform == "linux" and stat.S_ISREG(found.st_mode):
        with contextlib.suppress(OSError):
            path = os.readlink(f"/proc/self/fd/{descriptor}")
            if os.path.samestat(os.stat(path, follow_symlinks=False), found):
                return path, stat.S_IMODE(found.st_mode)
    return None
