"""Events on disk, in SQLite: append, and read in slices.

`append` returns when the events are committed, in one transaction. The database is in WAL mode, so a process that
is killed loses nothing that was committed; what a power cut can take is said by `Sync`.

There are two tables. `event` is what was committed; it has no index but its id, so that a commit writes one or two
pages whatever has gathered before. `facet` is the same less the lines, small and indexed by what may be asked for.
It lags behind: `index` brings it up to date, some hundred events in one transaction, and until then a reading
looks through the newest events themselves.

Nothing that is asked of an open store takes long: answers come in slices, and whoever asks comes back for more.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import os
import sqlite3
import time
from typing import TYPE_CHECKING, Final

import msgspec

from observatory.store.schema import STAMP

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from observatory.events import Event
    from observatory.store.checkpoints import Checkpoints
    from observatory.store.query import Query

INDEX_EVERY: Final = 256
"""Events that are worth a transaction of the index."""
PATIENCE: Final = 0.25
"""Seconds that a commit waits for a lock which some other program holds on the database."""
SLICE_ROWS: Final = 256
SLICE_BYTES: Final = 256 * 1024
SLICE_SECONDS: Final = 0.002
"""What one slice may be, or take, at most; a line that is longer than all of it is a slice by itself."""
LOOK_EVERY: Final = 1.0
"""Seconds between two looks at whether the files are still there."""
_OPEN: Final = ("", "-wal", "-shm")
"""What is added to a database's name for the files that SQLite has open all the while (sqlite.org/tempfiles.html)."""
WINDOW: Final = 4096
WIDEST: Final = 16 * WINDOW
"""Ids that are looked through at once, at first and at most: so many rows are read before the clock is looked at."""

PAGE: Final = 8192
"""Bytes of a page. Each commit writes the last one of the table anew, so that small pages suit small events and large
ones large events; with this size neither costs more than a tenth above its best."""

TOLD: Final = 64 * 1024
"""Bytes appended after which the checkpoints are told of them."""

ROWS: Final = 64
TOGETHER: Final = 64 * 1024
"""Events, and bytes of their lines, that one statement inserts at most. Each number of events is a statement of its
own, which is kept, and with it a copy of what it inserted last."""

FREE_PAGES: Final = 128
FREE_PART: Final = 10
"""The file is made smaller if more than so many of its pages are free, and more than one in so many."""
_INCREMENTAL: Final = 2
"""What `PRAGMA auto_vacuum` says of a database whose free pages can be given back."""

_INSERT = "INSERT INTO event VALUES (?, ?, ?, ?, ?, ?, ?)"
_INDEX = f"INSERT INTO facet SELECT id, time, {STAMP}, name, uid, session, tool FROM event WHERE id > ? AND id <= ?"  # noqa: S608 - no values


class NotStored(Exception):  # noqa: N818 - an outcome that the caller answers, not a fault
    """None of the events was committed, and why, in a few words. The store is still good."""


class Rows(msgspec.Struct, frozen=True):
    """A slice of an answer, oldest first; up to and with the id `seen`, there is nothing else."""

    lines: list[bytes]
    seen: int


class Ids(msgspec.Struct, frozen=True):
    """A slice of an answer, newest first; down to and with the id `seen`, there is nothing else."""

    ids: list[int]
    seen: int


class Store:
    """An open database. Use `open_store`, which sees to it that there is one process at a time."""

    def __init__(
        self, path: str, connection: sqlite3.Connection, checkpoints: Checkpoints, locks: Sequence[int]
    ) -> None:
        self.path = os.path.abspath(path)
        self._connection = connection
        self._checkpoints = checkpoints
        self._writing = checkpoints.writing
        self._locks = locks
        self._presence = _Presence(path)
        self._cursor = connection.cursor()
        self._patient = False
        self._appended = 0
        """Bytes, about, that the checkpoints have not been told of."""
        self._wait_for_locks(PATIENCE)
        self.last_id = self._number("SELECT max(id) FROM event")
        """The newest committed event; 0 if there was none."""
        self._old = self.last_id
        """The newest event that an earlier process committed."""
        self._indexed = self._number("SELECT max(id) FROM facet")
        self.identity: str = connection.execute("SELECT database FROM identity").fetchone()[0]
        """What tells this database from every other one: 16 random hexadecimal digits."""

    def call_meanwhile(self, meanwhile: Callable[[], None]) -> None:
        """Have `meanwhile` called every few milliseconds while a commit waits for the disk. It must not use this."""
        self._checkpoints.meanwhile = meanwhile

    def append(self, events: Sequence[Event]) -> None:
        """Commit all of these, in their order. Raises NotStored if they could not be."""
        if (trouble := self._presence.trouble()) is not None:
            raise NotStored(trouble)
        rows = [msgspec.structs.astuple(event) for event in events]
        size = sum([len(event.line) for event in events])
        try:
            with self._writing:
                self._insert(rows, size)
        except sqlite3.Error as error:
            self._undo()
            # Each turn of the service comes here: it's not to wait again and again for a lock that stays.
            self._wait_for_locks(0)
            raise NotStored(str(error)) from error
        self.last_id = events[-1].id
        if not self._patient:
            self._wait_for_locks(PATIENCE)
        self._appended += size + PAGE * len(rows)
        if self._appended >= TOLD:
            self._checkpoints.appended(self._appended)
            self._appended = 0

    def _insert(self, rows: Sequence[tuple[object, ...]], size: int) -> None:
        cursor = self._cursor
        if len(rows) == 1 or (len(rows) <= ROWS and size <= TOGETHER):
            # A transaction of its own. One statement for all is quicker than one for each.
            cursor.execute(_inserting(len(rows)), list(itertools.chain.from_iterable(rows)))
        else:
            cursor.execute("BEGIN IMMEDIATE")
            cursor.executemany(_INSERT, rows)
            cursor.execute("COMMIT")

    @property
    def unindexed(self) -> int:
        """How many events wait to be indexed."""
        return max(0, self.last_id - self._indexed)

    def index(self) -> None:
        """Index some of what was committed since the last time. If the database can't be written: another time."""
        through = min(self.last_id, self._indexed + 4 * INDEX_EVERY)
        if through <= self._indexed:
            return
        try:
            with self._writing:
                self._cursor.execute(_INDEX, (self._indexed, through))
        except sqlite3.Error:
            self._undo()
            return
        if self._indexed < self._old:  # the checkpoints have not heard of these
            self._checkpoints.appended(PAGE * (through - self._indexed))
        self._indexed = through

    def forward(self, query: Query, after: int, through: int, limit: int) -> Rows:
        """The next of the events with after < id <= through, oldest first, up to `limit` of them."""
        lines: list[bytes] = []
        seen, size = after, 0
        begun = time.monotonic()
        window = WINDOW
        limit = min(limit, SLICE_ROWS)
        while seen < through:
            end = min(through, self._window_end(seen, window))
            sql, values = query.selection(lines=True, lagging=seen >= self._indexed)
            with self._reading(sql, (*values, seen, end)) as rows:
                for number, line in rows:
                    seen = number
                    size += len(line)
                    lines.append(line)
                    if len(lines) >= limit or size >= SLICE_BYTES:
                        return Rows(lines, seen)
            seen = end
            if (window := _next_window(window, begun)) == 0:
                break
        return Rows(lines, seen)

    def backward(self, query: Query, before: int, limit: int) -> Ids:
        """The next of the events with an id below `before`, newest first, up to `limit` of them."""
        ids: list[int] = []
        seen = before
        begun = time.monotonic()
        window = WINDOW
        while seen > 1:
            after = self._window_start(seen, window)
            sql, values = query.selection(lines=False, lagging=after >= self._indexed)
            with self._reading(f"{sql} DESC LIMIT ?", (*values, after, seen - 1, limit - len(ids))) as rows:
                ids.extend(number for (number,) in rows)
            if len(ids) >= limit:
                return Ids(ids, ids[-1])
            seen = after + 1
            if (window := _next_window(window, begun)) == 0:
                break
        return Ids(ids, seen)

    def forget(self, before: int) -> bool:
        """Delete some of the oldest events, as far as they're from before that time (microseconds since the
        epoch); whether there may be more. The newest event always stays: its number must not be given again.
        """
        old = 0
        with self._reading(
            "SELECT id, time FROM event WHERE id < ? ORDER BY id LIMIT ?", (self.last_id, SLICE_ROWS)
        ) as rows:
            for number, made in rows:
                if made >= before:
                    break
                old = number
        return self._delete_through(old)

    def forget_beyond(self, most: int) -> bool:
        """Delete some of the oldest events if what is stored takes more than `most` bytes; whether there may be more.

        As much as is too much, by the size of the lines, and no more at once than `forget` does. The newest stays.
        """
        over = self.size - most
        if over <= 0:
            return False
        old = 0
        with self._reading(
            "SELECT id, length(line) FROM event WHERE id < ? ORDER BY id LIMIT ?", (self.last_id, SLICE_ROWS)
        ) as rows:
            for number, length in rows:
                old = number
                over -= length
                if over <= 0:
                    break
        return self._delete_through(old)

    @property
    def size(self) -> int:
        """Bytes of the database that something is in. Its file has those that are free as well, until they are given
        back (`give_back`)."""
        pages, free, size = (self._number(f"PRAGMA {name}") for name in ("page_count", "freelist_count", "page_size"))
        return (pages - free) * size

    def give_back(self) -> None:
        """Let the file become smaller by what is free in it, beside the work, if that is worth while."""
        pages, free = self._number("PRAGMA page_count"), self._number("PRAGMA freelist_count")
        if free > max(FREE_PAGES, pages // FREE_PART):
            self._checkpoints.give_back()

    @property
    def shrinks(self) -> bool:
        """Whether the file can become smaller: those that earlier versions made can't, until they are compacted."""
        return self._number("PRAGMA auto_vacuum") == _INCREMENTAL

    def _delete_through(self, old: int) -> bool:
        """Delete the events up to this one; whether that was done."""
        if not old:
            return False
        try:
            with self._writing:
                self._cursor.execute("BEGIN IMMEDIATE")
                self._cursor.execute("DELETE FROM event WHERE id <= ?", (old,))
                self._cursor.execute("DELETE FROM facet WHERE id <= ?", (old,))
                self._cursor.execute("COMMIT")
        except sqlite3.Error:
            self._undo()
            return False
        self._checkpoints.appended(SLICE_ROWS * PAGE)
        return True

    def newest_time(self) -> int | None:
        """When the newest event was committed, in microseconds since the epoch; `None` if there is none."""
        found: tuple[int] | None = self._cursor.execute(
            "SELECT time FROM event WHERE id = ?", (self.last_id,)
        ).fetchone()
        return None if found is None else found[0]

    def close(self) -> None:
        """Close the database; SQLite takes its log in and removes it."""
        self._checkpoints.close()
        self._connection.close()
        for lock in reversed(self._locks):
            os.close(lock)

    def _window_end(self, after: int, window: int) -> int:
        """The end of the ids to look through next: all of them indexed, or none."""
        end = min(self.last_id, after + window)
        return min(end, self._indexed) if after < self._indexed else end

    def _window_start(self, before: int, window: int) -> int:
        start = max(0, before - 1 - window)
        return max(start, self._indexed) if before - 1 > self._indexed else start

    @contextlib.contextmanager
    def _reading(self, sql: str, values: tuple[object, ...]) -> Iterator[sqlite3.Cursor]:
        cursor = self._connection.execute(sql, values)
        try:
            yield cursor
        finally:
            cursor.close()  # else its view of the database stays, and the log can't be taken in

    def _undo(self) -> None:
        with contextlib.suppress(sqlite3.Error):
            self._connection.rollback()

    def _wait_for_locks(self, seconds: float) -> None:
        self._patient = seconds > 0
        self._cursor.execute(f"PRAGMA busy_timeout = {round(seconds * 1000)}")

    def _number(self, sql: str) -> int:
        value: int | None = self._cursor.execute(sql).fetchone()[0]
        return value or 0


class _Presence:
    """Whether an open database is still what bears its name: one that was removed keeps nothing."""

    def __init__(self, path: str) -> None:
        """Take what bears the names now for the database's own."""
        self._found = {name: _identity(name) for name in (path + suffix for suffix in _OPEN)}
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
                    " server again"
                )
        self._next = now + LOOK_EVERY
        return None


@functools.cache
def _inserting(count: int) -> str:
    return _INSERT + ", (?, ?, ?, ?, ?, ?, ?)" * (count - 1)


def _next_window(window: int, begun: float) -> int:
    """How many ids to look through next in a slice; 0: it has taken its time. Where little is found, it's more."""
    took = time.monotonic() - begun
    if took > SLICE_SECONDS:
        return 0
    return min(2 * window, WIDEST) if took < SLICE_SECONDS / 4 else window


def _identity(name: str) -> tuple[int, int] | None:
    try:
        found = os.stat(name, follow_symlinks=False)
    except OSError:
        return None
    return found.st_dev, found.st_ino
