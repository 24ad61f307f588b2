"""Making a database's file as small as what is in it, while no server has it open."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from typing import TYPE_CHECKING

from observatory.errors import ExitStatus, ObservatoryError
from observatory.store.opening import look, opened_alone
from observatory.store.schema import Holds

if TYPE_CHECKING:
    from pathlib import Path


def compact(path: Path) -> tuple[int, int]:
    """Write a database anew without what is free in it: the bytes of its files before and afterwards.

    From then on it gives back what is deleted, also if an earlier version made it. While it is written there are three
    of it: one in the same directory without a name, and one in the write-ahead log. A kill leaves it as it was. Raises
    ObservatoryError.
    """
    if not path.exists():
        raise ObservatoryError(f"there is no database {path}: say which by --database", ExitStatus.FAILED)
    if look(str(path)) is Holds.NOTHING:
        raise ObservatoryError(f"there is nothing in {path} to compact: say which database by --database")
    before = _size(path)
    # Where SQLite writes the new one: not in memory, nor where there may be less room.
    os.environ["SQLITE_TMPDIR"] = str(path.parent)
    with opened_alone(str(path)) as connection:
        try:
            connection.execute("PRAGMA temp_store = FILE")
            connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
            connection.execute("VACUUM")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        except sqlite3.Error as error:
            raise ObservatoryError(f"cannot compact the database {path}: {error}; it is as it was") from None
    return before, _size(path)


def _size(path: Path) -> int:
    found = 0
    for suffix in ("", "-wal"):
        with contextlib.suppress(FileNotFoundError):
            found += os.stat(f"{path}{suffix}").st_size
    return found
