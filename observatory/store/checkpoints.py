"""Taking SQLite's write-ahead log into the database beside the work, so that no commit waits for the disk.

A checkpoint writes and syncs, which takes milliseconds on a good disk and much more on a bad one. A thread with a
connection of its own does it, and doesn't disturb whoever appends (sqlite.org/wal.html: PASSIVE). The log can begin
anew once all of it is in the database, which while events keep coming it never is: when it has become long, whoever
appends waits while the thread takes in what has come since it took in the rest. That is little, but the disk is waited
for, on a machine that is flooded for tens of milliseconds: `meanwhile` is for what is not to wait so long.

The same thread gives free pages of the file back to the disk, a few at a time. While it does, nobody else may write
(sqlite.org/wal.html), so that `writing` is taken by both: whoever appends waits for one of these moments at most.
"""

from __future__ import annotations

import contextlib
import os
import queue
import sqlite3
import threading
from functools import partial
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

EVERY: Final = 8 * 1024 * 1024
"""Bytes appended after which the thread takes the log in."""
LONGEST: Final = 128 * 1024 * 1024
"""Bytes appended after which the log has to begin anew, whose file is kept then: to write where a file was written
before is quicker. A start after a crash has to read so much. With less, more than one commit in a hundred would
wait under load."""

LITTLE: Final = 1024 * 1024
REPEATED: Final = 8
"""Bytes that whoever appends may have to wait for when the log begins anew, and how often the thread is sent once more
to leave no more than that: under a flood of large events much comes while it works.
"""
MEANWHILE: Final = 0.002
"""Seconds between two calls of `meanwhile` while somebody waits."""

GIVE_BACK: Final = 64
"""Pages given back at once, which takes a millisecond or less."""
PAUSE: Final = 0.01
"""Seconds between two of these, in which others write."""

_PASSIVE = "PRAGMA wal_checkpoint(PASSIVE)"
# All of its steps are to be made, as a script's are: a statement without columns is left after the first.
_GIVE_BACK = f"PRAGMA incremental_vacuum({GIVE_BACK})"


class Checkpoints:
    """The checkpoints of one database, which has been opened."""

    def __init__(self, path: str, sync: str, descriptor: int) -> None:
        """Begin. `descriptor` is of the database itself. Raises sqlite3.Error."""
        self._connection = _opened(path, sync)
        self._descriptor = descriptor
        self.meanwhile: Callable[[], None] = _nothing
        """Called now and then while whoever appends waits for the disk; it must not use the database."""
        self._since_last = 0
        # What a server that was killed left counts too: else the log would grow from one kill to the next.
        self._log = os.stat(f"{path}-wal").st_size
        self._wanted: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self.writing = threading.Lock()
        """Held by whoever writes to the database."""
        self._giving_back = False
        self._ending = threading.Event()
        self._under_way = self._long = False
        self._repeated = 0
        self._thread = threading.Thread(target=self._run, name="checkpoints", daemon=True)
        self._thread.start()
        if self._log >= LONGEST:
            self._begin_anew()
        elif self._log >= EVERY:
            self._take_in()

    def appended(self, size: int) -> None:
        """Take note of a commit of about `size` bytes, and see to it that the log doesn't grow for ever."""
        self._since_last += size
        if self._under_way:
            return
        if self._long and self._since_last > LITTLE and self._repeated < REPEATED:
            self._repeated += 1
            self._note_appended()
            self._take_in()
        elif self._long:
            self._long = False
            self._repeated = 0
            self._begin_anew()
        elif self._since_last >= EVERY:
            self._note_appended()
            self._long = self._log >= LONGEST
            self._take_in()

    def _note_appended(self) -> None:
        self._log += self._since_last
        self._since_last = 0

    def close(self) -> None:
        """End the thread."""
        self._ending.set()
        self._wanted.put(None)
        self._thread.join()

    def _begin_anew(self) -> None:
        done = threading.Event()
        self._wanted.put(partial(self._take_in_rest, done))
        while not done.wait(MEANWHILE):
            self.meanwhile()

    def _take_in(self) -> None:
        self._under_way = True
        self._wanted.put(self._checkpoint)

    def give_back(self) -> None:
        """Give the pages of the file that nothing is in back to the disk, in the thread's time."""
        if not self._giving_back:
            self._giving_back = True
            self._wanted.put(self._shrink)

    # What the thread does.

    def _run(self) -> None:
        with contextlib.closing(self._connection):
            while (work := self._wanted.get()) is not None:
                # A full or a locked disk is the business of whoever appends; here it's tried again later.
                with contextlib.suppress(sqlite3.Error, OSError, MemoryError):
                    work()

    def _checkpoint(self) -> None:
        try:
            self._connection.execute(_PASSIVE).fetchone()
            # SQLite does so only where it has come to the end of the log, where somebody would wait for all of it.
            os.fsync(self._descriptor)
        finally:
            self._under_way = False

    def _take_in_rest(self, done: threading.Event) -> None:
        try:
            _, length, taken = self._connection.execute(_PASSIVE).fetchone()
            if length == taken:
                self._log = 0
        finally:
            done.set()

    def _shrink(self, free: int | None = None) -> None:
        """Give a few pages back, and come back for more of the free ones after what else is wanted."""
        more = False
        try:
            before = self._free_pages() if free is None else free
            if before and not self._ending.wait(PAUSE):
                with self.writing:
                    self._connection.executescript(_GIVE_BACK)
                left = self._free_pages()
                more = 0 < left < before  # not fewer: a database of an earlier version, which `compact` makes anew
                if more:
                    self._wanted.put(partial(self._shrink, left))
            if not more:
                self._connection.execute(_PASSIVE).fetchone()  # which cuts the file
        finally:
            self._giving_back = more

    def _free_pages(self) -> int:
        found: int = self._connection.execute("PRAGMA freelist_count").fetchone()[0]
        return found


def _nothing() -> None:
    pass


def set_sync(connection: sqlite3.Connection, sync: str) -> None:
    """Have this connection wait for the disk as `Sync` says, by its name. Raises sqlite3.Error.

    On macOS fsync(2) does not wait for the disk itself, F_FULLFSYNC does (sqlite.org/pragma.html, fullfsync); elsewhere
    these two mean nothing.
    """
    connection.execute(f"PRAGMA synchronous = {sync}")
    for name in ("fullfsync", "checkpoint_fullfsync"):
        connection.execute(f"PRAGMA {name} = {int(sync == 'FULL')}")


def _opened(path: str, sync: str) -> sqlite3.Connection:
    """A connection for the thread that has all its files open: later there may be no descriptor left for them."""
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    try:
        set_sync(connection, sync)
        connection.execute("SELECT max(id) FROM event").fetchone()
    except BaseException:
        connection.close()
        raise
    return connection
