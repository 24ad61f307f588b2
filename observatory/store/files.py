"""The files of a database: which there are, and that every one of them is this user's alone.

SQLite opens what it finds beside a database, whoever made it: a write-ahead log made before by another user, who may
read it then, or a rollback journal, which it would play back. So each is looked at before SQLite opens anything, and
again afterwards. In a sticky directory where others may make files, the names are taken first: what is there and ours
then can't be replaced any more.
"""

from __future__ import annotations

import os
import secrets
import shutil
import time
from typing import TYPE_CHECKING, Final

from observatory.errors import ObservatoryError
from observatory.ownership import check_own_file, is_sticky, make_own_directory, open_own_file, strangers

if TYPE_CHECKING:
    from collections.abc import Callable

LOCK: Final = ".lock"
SESSIONS: Final = ".sessions"
"""Which process each session is: `observatory.sessions.memory`."""
_SQLITE_S: Final = ("-wal", "-shm", "-journal")
"""What SQLite makes beside a database: sqlite.org/tempfiles.html."""
_OPEN: Final = ("-wal", "-shm")
"""Of those, what it has open all the while."""


LOOK_EVERY: Final = 1.0
"""Seconds between two looks at whether the files are still there."""


class Presence:
    """Whether an open database is still what bears its name: one that was removed keeps nothing."""

    def __init__(self, path: str) -> None:
        """Take what bears the names now for the database's own."""
        self._found = {name: _identity(name) for name in (path, *(path + suffix for suffix in _OPEN))}
        self._next = 0.0

    def trouble(self) -> str | None:
        """What is wrong, in words for anyone. Looks once in a while, or each time as long as something is wrong."""
        now = time.monotonic()
        if now < self._next:
            return None
        for name, identity in self._found.items():
            if identity is None or _identity(name) != identity:
                return (
                    f"{os.path.basename(name)} was removed or replaced while the server ran; put it back, or start the"
                    " server anew"
                )
        self._next = now + LOOK_EVERY
        return None


def _identity(name: str) -> tuple[int, int] | None:
    try:
        found = os.stat(name, follow_symlinks=False)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def directory_warning(path: str) -> str | None:
    """A sentence if others may make files where the database is, but not replace its own; `None` if they may not.

    Raises ObservatoryError where they may replace them, which no look at the files can mend.
    """
    directory = os.path.dirname(path) or "."
    try:
        who, sticky = strangers(directory), is_sticky(directory)
    except OSError:
        return None  # to open the database will say why
    if who is None:
        return None
    if not sticky or "owns" in who:
        raise ObservatoryError(
            f"the database {path} is in a directory where {who}, may replace its files: use a --database in a directory"
            " of this user's own"
        )
    return f"{who} may make files in {directory}, where the database is: a directory of this user's own is safer"


def check_names(path: str) -> None:
    """Raise ObservatoryError if anything that bears a name of the database's files is not this user's alone."""
    for suffix in (*_SQLITE_S, LOCK, SESSIONS):
        check_own_file(path + suffix)


def take_names(path: str) -> None:
    """Make the files that SQLite would make, so that nobody else can. Empty ones are as good as none to it."""
    for suffix in _SQLITE_S:
        os.close(open_own_file(path + suffix, os.O_RDWR, make=True))


def make_whole(path: str, fill: Callable[[str], None]) -> None:
    """Let `fill` make a new database in a private directory beside `path`, and move it there when it is whole."""
    directory, name = os.path.split(path)
    private = os.path.join(directory, f".{name}.{secrets.token_hex(8)}")
    make_own_directory(private)
    try:
        made = os.path.join(private, name)
        fill(made)
        os.rename(made, path)
    finally:
        shutil.rmtree(private)
