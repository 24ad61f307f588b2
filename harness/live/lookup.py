"""Opening a path component by component, so that each symlink on the way is looked at before it is followed."""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

LINKS: Final = 40
"""MAXSYMLINKS, include/linux/namei.h."""
DEPTH: Final = 128
"""Directories below each other; each takes a descriptor until the path's end is reached."""
PATH_ONLY: Final[int] = getattr(os, "O_PATH", os.O_RDONLY)
"""Opens for nothing but to go on from there, without any effect on what is opened, where the system has that."""


def open_below(top: int, path: str, flags: int, follow: Callable[[os.stat_result], None]) -> int:
    """Open a path below the directory that `top` is open on; neither `..` nor a symlink leads out of it.

    `follow` is told of each symlink before it is followed, and raises what it likes instead. Raises OSError.
    """
    pending = _names(path)
    way: list[int] = []
    links = 0
    try:
        while pending:
            name = pending.pop()
            here = way[-1] if way else top
            if name == "..":
                if way:
                    os.close(way.pop())
                continue
            status = os.stat(name, dir_fd=here, follow_symlinks=False)
            if stat.S_ISLNK(status.st_mode):
                links += 1
                if links > LINKS:
                    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
                follow(status)
                target = os.readlink(name, dir_fd=here)
                pending += _names(target)
                while target.startswith("/") and way:
                    os.close(way.pop())
            elif pending:
                if len(way) == DEPTH:
                    raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG), path)
                way.append(os.open(name, PATH_ONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=here))
            else:
                return os.open(name, flags | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=here)
        return os.open(".", flags | os.O_CLOEXEC, dir_fd=way[-1] if way else top)
    finally:
        for descriptor in way:
            os.close(descriptor)


def _names(path: str) -> list[str]:
    """The components that lead anywhere, last first."""
    return [name for name in path.split("/") if name not in {"", "."}][::-1]
