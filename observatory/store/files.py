"""The files of a database: which there are, and that every one of them is this user's alone.

SQLite opens what it finds beside a database, whoever made it: a write-ahead log made before by another user, who may
read it then, or a rollback journal, which it would play back. So each is looked at before SQLite opens anything, and
again afterwards. In a sticky directory where others may make files, the names are taken first: what is there and ours
then can't be replaced any more.
"""

from __future__ import annotations

import os
import shutil
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
    private = os.path.join(directory, f".{name}.{os.urandom(8).hex()}")
    make_own_directory(private)
    try:
        made = os.path.join(private, name)
        fill(made)
        os.rename(made, path)
    finally:
        shutil.rmtree(private)
