"""Opening a database, or making it: private, of the right version, and for one process at a time."""

from __future__ import annotations

import contextlib
import fcntl
import os
import sqlite3
import stat
import sys
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Final

from observatory.errors import ExitStatus, ObservatoryError
from observatory.ownership import open_own_file
from observatory.store import files, schema
from observatory.store.checkpoints import LONGEST, Checkpoints, set_sync
from observatory.store.database import PAGE, Store

if TYPE_CHECKING:
    from collections.abc import Iterator

START_PATIENCE: Final = 5.0
"""Seconds to wait for a lock that some other program holds on the database."""
CACHE: Final = 8 * 1024
"""Kibibytes of pages that SQLite keeps in memory."""


class Sync(Enum):
    """When the disk must have written what was committed. A killed process loses nothing with either."""

    NORMAL = "normal"
    """At checkpoints. A power cut may take the last commits, and leaves a sound database."""
    FULL = "full"
    """At each commit, before its events are acknowledged. A power cut takes nothing, if the disk tells the truth."""


def open_store(path: str, sync: Sync = Sync.NORMAL) -> Store:
    """Open the database at `path`, or make it, for this process alone. Raises ObservatoryError.

    It and the files beside it are this user's only (0600), whatever the umask, and never another user's.
    """
    locks, connection = _open(path, sync)
    try:
        checkpoints = Checkpoints(path, sync.name, locks[-1])
        return Store(path, connection, checkpoints, locks)
    except BaseException as error:
        connection.close()
        _unlock(locks)
        if isinstance(error, sqlite3.Error):
            raise ObservatoryError(f"cannot use the database {path}: {error}") from None
        raise


@contextlib.contextmanager
def opened_alone(path: str) -> Iterator[sqlite3.Connection]:
    """A connection to the database at `path`, which no server has open meanwhile. Raises ObservatoryError."""
    locks, connection = _open(path, Sync.FULL)
    try:
        yield connection
    finally:
        connection.close()
        _unlock(locks)


def _open(path: str, sync: Sync) -> tuple[list[int], sqlite3.Connection]:
    """The descriptors that are locked, of which the last is the database's own, and a connection."""
    shared = files.directory_warning(path) is not None
    if not os.path.lexists(path + files.LOCK):
        look(path)  # before anything is made beside what may be another program's
    locks = [_lock(path)]
    try:
        look(path)  # and before its mode is changed, now that no server writes it
        files.check_names(path)
        _make_if_new(path)
        locks.append(_lock_itself(path))
        if shared:
            files.take_names(path)
        connection = sqlite3.connect(path, timeout=START_PATIENCE, isolation_level=None)
        try:
            _prepare(connection, path, sync)
            files.check_names(path)
            return locks, connection
        except sqlite3.Error as error:
            connection.close()
            raise ObservatoryError(f"cannot use the database {path}: {error}") from None
        except BaseException:
            connection.close()
            raise
    except BaseException:
        _unlock(locks)
        raise


def _unlock(locks: list[int]) -> None:
    for lock in reversed(locks):
        os.close(lock)


def look(path: str) -> schema.Holds:
    """What is in the file at `path`, of which nothing is changed. Raises ObservatoryError for another program's.

    Of one that can't be looked at, whoever opens it says why.
    """
    try:
        found = os.lstat(path)
    except OSError:
        return schema.Holds.NOTHING
    if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid():
        return schema.Holds.OWN
    if not found.st_size:
        return schema.Holds.NOTHING
    # Immutable: without locks, and without a file beside it.
    address = f"{Path(path).absolute().as_uri()}?mode=ro&immutable=1"
    try:
        with contextlib.closing(sqlite3.connect(address, uri=True, isolation_level=None)) as connection:
            return _no_foreign(schema.holds(connection), path)
    except sqlite3.Error as error:
        if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_NOTADB:
            raise ObservatoryError(f"cannot use the database {path}: {error}") from None
        return schema.Holds.OWN


def _no_foreign(holds: schema.Holds, path: str) -> schema.Holds:
    if holds is schema.Holds.FOREIGN:
        raise ObservatoryError(f"the database {path} is another program's, and stays as it is: use another --database")
    return holds


def _prepare(connection: sqlite3.Connection, path: str, sync: Sync) -> None:
    _no_foreign(schema.holds(connection), path)  # once more: all of it may have been in a write-ahead log
    connection.execute(f"PRAGMA page_size = {PAGE}")  # of a new database: an old one keeps what it has
    connection.execute("PRAGMA auto_vacuum = INCREMENTAL")  # the same
    connection.execute(f"PRAGMA cache_size = -{CACHE}")
    connection.execute("PRAGMA temp_store = MEMORY")
    if (version := schema.version(connection)) > len(schema.MIGRATIONS):
        raise ObservatoryError(
            f"the database {path} has version {version}, and this program knows {len(schema.MIGRATIONS)} at most:"
            " use a newer one, or another --database"
        )
    mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
    if mode != "wal":
        raise ObservatoryError(
            f"the database {path} is where SQLite cannot keep a write-ahead log: use another --database"
        )
    set_sync(connection, sync.name)
    connection.execute("PRAGMA wal_autocheckpoint = 0")  # see Checkpoints
    connection.execute(f"PRAGMA journal_size_limit = {LONGEST}")
    schema.migrate(connection)


def _lock(path: str) -> int:
    descriptor = open_own_file(path + files.LOCK, os.O_RDWR, make=True)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise ObservatoryError(f"another server uses the database {path}: give this one another --database") from None
    return descriptor


def _lock_itself(path: str) -> int:
    """A descriptor of the database, whose inode is locked: it may have had another name when another server opened it.

    Linux keeps these locks apart from SQLite's (flock(2), fcntl(2)); where they are the same, SQLite would wait for
    itself, and nothing is locked.
    """
    descriptor = open_own_file(path, os.O_RDWR)
    if sys.platform != "linux":
        return descriptor
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise ObservatoryError(
            f"another server uses the database {path}, which had another name when it was opened there: give this one"
            " another --database"
        ) from None
    return descriptor


def _make_if_new(path: str) -> None:
    descriptor = open_own_file(path, os.O_RDWR, make=True, narrow=True)
    try:
        is_new = not os.fstat(descriptor).st_size
    finally:
        os.close(descriptor)  # before SQLite has any lock on the file: closing it later would end that lock
    if is_new:
        files.make_whole(path, _make)


def _make(path: str) -> None:
    os.close(open_own_file(path, os.O_RDWR, make=True))
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        _prepare(connection, path, Sync.NORMAL)


def default_path(socket_path: str) -> str:
    """Where the events of a socket's server are kept if nobody says: in the user's state directory, made if need be.

    `$STATE_DIRECTORY` (systemd.exec(5)), `$XDG_STATE_HOME/claude-observatory` or `~/.local/state/claude-observatory`,
    on macOS `~/Library/Application Support/claude-observatory`.
    Each socket has its own: two servers of one user don't meet. Raises ObservatoryError.
    """
    given, state = os.environ.get("STATE_DIRECTORY"), os.environ.get("XDG_STATE_HOME")
    if given:
        directory = Path(given.split(":")[0])
    else:
        home = "~/Library/Application Support" if sys.platform == "darwin" else "~/.local/state"
        directory = Path(state or os.path.expanduser(home)) / "claude-observatory"
    if not directory.is_absolute():  # also a ~ of which nobody knows whose home it is, where a Path would raise
        raise ObservatoryError(f"there is no state directory ({directory}): set HOME, or say where by --database")
    try:
        for part in (*reversed(directory.parents), directory):
            if not part.is_dir():
                with contextlib.suppress(FileExistsError):
                    part.mkdir(mode=0o700)
                    part.chmod(0o700)  # under every umask
    except OSError as error:
        raise ObservatoryError(
            f"cannot make the directory {directory} for the database: {error.strerror}; say where by --database",
            ExitStatus.NOT_PERMITTED if isinstance(error, PermissionError) else ExitStatus.FAILED,
        ) from None
    name = os.path.abspath(socket_path).strip("/").replace("/", "-")
    return str(directory / f"{name}.sqlite3")
