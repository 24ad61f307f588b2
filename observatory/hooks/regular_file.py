"""Reading a file that somebody else may have put there: without waiting, and no more of it than it should have.

A project comes from others, and so may its `.claude/settings.json`: a named pipe holds up whoever opens it, a device
may never end, and a link leads anywhere.
"""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING, BinaryIO, Final

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

LARGEST: Final = 1024 * 1024
"""Bytes of a file that is read at most: settings have some thousands, and everything is held in memory a few times."""

_WITHOUT_WAITING: Final = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_NOCTTY | os.O_CLOEXEC
_KINDS: Final = {
    stat.S_IFDIR: "a directory",
    stat.S_IFLNK: "a symbolic link",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def read_regular(path: str | Path, *, directory: int | None = None) -> bytes:
    """The content of a regular file of this user's, or of root's; root reads anybody's.

    `directory` is a descriptor that a relative path starts from. Raises OSError, whose text says what is there instead.
    """
    with open_regular(path, _check, directory=directory) as file:
        content = file.read(LARGEST + 1)
    if len(content) > LARGEST:
        raise _too_large()
    return content


def open_regular(
    path: str | Path, check: Callable[[os.stat_result], None], *, directory: int | None = None
) -> BinaryIO:
    """Open a file to read, without waiting. `check` is given what is there, and raises OSError for what is not meant.

    It is asked before the file is opened, since to open a device may already do something, and about what was opened.
    """
    check(os.stat(path, dir_fd=directory, follow_symlinks=False))
    descriptor = os.open(path, _WITHOUT_WAITING, dir_fd=directory)
    file = os.fdopen(descriptor, "rb")
    try:
        check(os.fstat(descriptor))
    except BaseException:
        file.close()
        raise
    return file


def check_regular(found: os.stat_result) -> None:
    """Raises OSError for what is no regular file."""
    if not stat.S_ISREG(found.st_mode):
        kind = _KINDS.get(stat.S_IFMT(found.st_mode), "something else")
        raise OSError(errno.EINVAL, f"it is {kind}, and no regular file")


def _check(found: os.stat_result) -> None:
    check_regular(found)
    if os.geteuid() != 0 and found.st_uid not in {0, os.geteuid()}:
        raise PermissionError(errno.EPERM, f"it belongs to uid {found.st_uid}, not to uid {os.geteuid()} or root")
    if found.st_size > LARGEST:
        raise _too_large()


def _too_large() -> OSError:
    return OSError(errno.EFBIG, f"it has more than {LARGEST // 1024} KiB, which no settings need")
