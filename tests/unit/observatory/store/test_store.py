"""The database: what is kept, how it's found, who may open it, and what happens when it can't be written."""

from __future__ import annotations

import os
import re
import sqlite3
import stat
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from observatory.errors import ObservatoryError
from observatory.store import NotStored, Query, Store, Sync, default_path, open_store, schema
from observatory.store.checkpoints import EVERY, Checkpoints
from tests.helpers.events import SECOND, event

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

ALL = 1 << 40

_KILLED = """
import os, sys
from observatory.events import Event
from observatory.store import open_store
store = open_store(sys.argv[1])
store.append([Event(1, 1, "Stop", 0, None, None, b"{}")])
os.kill(os.getpid(), 9)
"""
_KILLED_LATER = """
import os, sys
from observatory.events import Event
from observatory.store import checkpoints, open_store
size = checkpoints.EVERY // 20
checkpoints.LONGEST = 2 * checkpoints.EVERY
checkpoints.EVERY = 2**40  # the thread is so slow that it does nothing before the end
store = open_store(sys.argv[1])
for number in range(store.last_id + 1, store.last_id + 31):
    store.append([Event(number, 1, "Stop", 0, None, None, b"x" * size)])
os.kill(os.getpid(), 9)
"""
_LARGE = """
import os, sys
from observatory.events import Event
from observatory.store import open_store
def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
def events(count):
    first = store.last_id + 1
    return [Event(number, 1, "Stop", 0, None, None, b"x" * 2**18) for number in range(first, first + count)]
store = open_store(sys.argv[1])
for _ in range(64):
    store.append(events(1))
before = resident()
for count in range(2, 17):
    store.append(events(count))
print(resident() - before)
"""
_OPEN = """
import sys
from observatory.store import open_store
store = open_store(sys.argv[1])
print("open", flush=True)
sys.stdin.read()
"""


def lines(store: Store, query: Query = Query(), after: int = 0, limit: int = ALL) -> list[bytes]:  # noqa: B008 - frozen
    """Everything, slice by slice."""
    found: list[bytes] = []
    while after < store.last_id and len(found) < limit:
        rows = store.forward(query, after, store.last_id, limit - len(found))
        assert rows.seen > after or rows.lines, "a slice gets further"
        found += rows.lines
        after = rows.seen
    return found


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "events.sqlite3")


@pytest.fixture
def store(path: str) -> Iterator[Store]:
    store = open_store(path)
    yield store
    store.close()


def test_what_was_appended_is_there_after_opening_it_again(path: str) -> None:
    store = open_store(path)
    store.append([event(1), event(2)])
    store.append([event(3)])
    store.close()
    again = open_store(path)
    assert again.last_id == 3
    assert lines(again) == [event(n).line for n in (1, 2, 3)]
    again.close()


def test_what_was_appended_is_there_when_the_process_is_killed(path: str) -> None:
    child = subprocess.Popen(
        [
            sys.executable,
            "-c",
            _KILLED,
            path,
        ]
    )
    assert child.wait() == -9
    store = open_store(path)
    assert lines(store) == [b"{}"]
    store.close()


def test_a_closed_database_is_one_file_and_its_lock(path: str, tmp_path: Path) -> None:
    store = open_store(path)
    store.append([event(1)])
    store.close()
    assert sorted(file.name for file in tmp_path.iterdir()) == ["events.sqlite3", "events.sqlite3.lock"]


def test_the_newest_are_found_backwards(store: Store) -> None:
    store.append([event(n, name="A" if n % 2 else "B") for n in range(1, 11)])
    assert store.backward(Query(), 11, 3).ids == [10, 9, 8]
    assert store.backward(Query(name="A"), 11, 3).ids == [9, 7, 5]
    assert store.backward(Query(name="A"), 5, 9).ids == [3, 1]


@pytest.mark.parametrize("indexed", [True, False])
def test_queries_find_what_they_ask_for_whether_it_is_indexed_or_not(store: Store, indexed: bool) -> None:
    store.append([event(1, uid=1), event(2, uid=None), event(3, uid=1, session="s"), event(4, uid=2, session="s")])
    if indexed:
        store.index()
        assert store.unindexed == 0
    assert lines(store, Query(uid=1)) == [event(1).line, event(3).line]
    assert lines(store, Query(session="s")) == [event(3).line, event(4).line]
    assert lines(store, Query(session="s", uid=2)) == [event(4).line]
    assert lines(store, Query(uid=-1)) == []
    assert lines(store, Query(), after=3) == [event(4).line]


@pytest.mark.parametrize("lines", [True, False])
@pytest.mark.parametrize(
    ("query", "index"),
    [
        (Query(session="s", tool="t", name="n", uid=1), "session"),
        (Query(tool="t", name="n", uid=1), "tool"),
        (Query(name="n", uid=1), "name"),
        (Query(uid=1), "uid"),
    ],
)
def test_a_query_uses_one_index_and_neither_looks_through_a_table_nor_sorts(
    store: Store, query: Query, index: str, lines: bool
) -> None:
    store.append([event(n) for n in range(1, 300)])
    store.index()
    sql, values = query.selection(lines=lines, lagging=False)
    plan = store._connection.execute(f"EXPLAIN QUERY PLAN {sql}", (*values, 1, 100)).fetchall()
    steps = [row[3] for row in plan]
    assert re.match(rf"SEARCH facet USING (COVERING )?INDEX facet_by_{index} .*rowid>\? AND rowid<\?", steps[0]), steps
    assert not any("SCAN" in step or "TEMP B-TREE" in step for step in steps), steps


def test_a_slice_is_bounded_in_rows_and_in_bytes(store: Store) -> None:
    store.append([event(n) for n in range(1, 1000)])
    assert len(store.forward(Query(), 0, ALL, ALL).lines) == 256
    store.append([event(n, size=100_000) for n in range(1000, 1020)])
    assert len(store.forward(Query(), 999, ALL, ALL).lines) == 3
    assert len(lines(store)) == 1019


def test_a_line_longer_than_a_slice_is_a_slice(store: Store) -> None:
    store.append([event(1, size=16 * 1024 * 1024), event(2)])
    assert [len(line) for line in lines(store)] == [len(event(1, size=16 * 1024 * 1024).line), len(event(2).line)]


def test_forgetting_takes_the_old_ones_and_never_the_newest(store: Store) -> None:
    store.append([event(n) for n in range(1, 601)])
    store.index()
    assert store.forget(before=301 * SECOND)
    assert store.forget(before=301 * SECOND)
    assert not store.forget(before=301 * SECOND)
    assert lines(store)[0] == event(301).line
    assert lines(store, Query(uid=1000))[0] == event(301).line
    while store.forget(before=ALL * SECOND):
        pass
    assert lines(store) == [event(600).line]


def test_numbers_are_not_given_again_after_everything_was_forgotten(path: str) -> None:
    store = open_store(path)
    store.append([event(n) for n in range(1, 11)])
    while store.forget(before=ALL * SECOND):
        pass
    store.close()
    again = open_store(path)
    assert again.last_id == 10
    again.close()


def test_the_database_is_its_owner_s_only_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        store = open_store(str(tmp_path / "db"))
        store.append([event(1)])
        modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()}
        store.close()
    finally:
        os.umask(before)
    assert modes == {"db": 0o600, "db-wal": 0o600, "db-shm": 0o600, "db.lock": 0o600}


def test_a_database_that_others_could_read_is_narrowed(tmp_path: Path) -> None:
    (tmp_path / "db").touch(mode=0o644)
    open_store(str(tmp_path / "db")).close()
    assert stat.S_IMODE((tmp_path / "db").stat().st_mode) == 0o600


def test_a_second_server_is_refused_the_database(path: str, store: Store) -> None:
    with pytest.raises(ObservatoryError, match="another server uses the database"):
        open_store(path)


def test_the_lock_of_a_killed_server_ends_with_it(path: str) -> None:
    child = subprocess.Popen(
        [
            sys.executable,
            "-c",
            _OPEN,
            path,
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"open\n"
        with pytest.raises(ObservatoryError):
            open_store(path)
        child.kill()
    open_store(path).close()


def test_a_symbolic_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "victim").write_text("precious")
    (tmp_path / "db").symlink_to("victim")
    with pytest.raises(ObservatoryError, match="symbolic link"):
        open_store(str(tmp_path / "db"))
    assert (tmp_path / "victim").read_text() == "precious"


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda path: path.write_text("no database, but a letter " * 100), "file is not a database"),
        (lambda path: path.mkdir(), "is no regular file"),
        (os.mkfifo, "no regular file"),
    ],
)
def test_what_is_no_database_is_left_alone(tmp_path: Path, make: Callable[[Path], object], says: str) -> None:
    make(tmp_path / "db")
    before = (tmp_path / "db").stat()
    with pytest.raises(ObservatoryError, match=says):
        open_store(str(tmp_path / "db"))
    after = (tmp_path / "db").stat()
    assert (after.st_size, after.st_ino) == (before.st_size, before.st_ino)


def test_a_directory_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ObservatoryError, match=r"nowhere/db.lock: there is no directory .*/nowhere"):
        open_store(str(tmp_path / "nowhere" / "db"))


def test_someone_else_s_lock_makes_a_commit_fail_and_then_not_wait_until_it_is_gone(path: str, store: Store) -> None:
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(NotStored, match="locked"):
        store.append([event(1)])
    waits = [store._cursor.execute("PRAGMA busy_timeout").fetchone()[0]]
    with pytest.raises(NotStored, match="locked"):
        store.append([event(1), event(2)])
    other.execute("ROLLBACK")
    other.close()
    store.append([event(1), event(2)])
    waits.append(store._cursor.execute("PRAGMA busy_timeout").fetchone()[0])
    assert waits == [0, 250]
    assert lines(store) == [event(1).line, event(2).line]


def test_of_a_batch_that_fails_in_the_middle_nothing_is_kept(store: Store) -> None:
    store.append([event(1)])
    with pytest.raises(NotStored):
        store.append([event(2), event(1)])
    assert lines(store) == [event(1).line]
    store.append([event(2)])
    assert store.last_id == 2


def test_an_index_that_was_not_up_to_date_is_made_so_after_a_crash(path: str) -> None:
    store = open_store(path)
    store.append([event(n) for n in range(1, 5000)])
    store.close()
    again = open_store(path)
    assert again.unindexed == 4999
    assert len(lines(again, Query(uid=1000))) == 4999
    while again.unindexed:
        again.index()
    assert len(lines(again, Query(uid=1000))) == 4999
    again.close()


def test_the_log_is_taken_in_beside_the_work(path: str, store: Store) -> None:
    for number in range(1, 60):
        store.append([event(number, size=EVERY // 20)])
    store._checkpoints.close()
    assert os.stat(path).st_size > EVERY
    store._checkpoints = Checkpoints(path, "NORMAL", store._connection)  # so that the fixture can close it


def test_the_log_does_not_grow_for_ever(path: str, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("observatory.store.checkpoints.LONGEST", 2 * EVERY)
    # The thread is so slow that it does nothing: what is left then is what the writer takes in by itself.
    monkeypatch.setattr(store._checkpoints, "_take_in", lambda: None)
    size = EVERY // 20
    for number in range(1, 400):
        store.append([event(number, size=size)])
        if os.stat(f"{path}-wal").st_size < number * size / 4:
            return
    pytest.fail("of four hundred events, more than a quarter were always in the log")


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="/proc tells what is resident")
def test_large_events_do_not_stay_in_memory_when_they_are_stored(path: str) -> None:
    """SQLite keeps a copy of what each of its statements was last given."""
    grown = subprocess.run([sys.executable, "-c", _LARGE, path], check=True, capture_output=True).stdout
    assert int(grown) < 8 * 2**20


def test_nor_does_it_from_one_kill_to_the_next(path: str) -> None:
    """Or each start would have more of it to read."""
    for _ in range(12):
        subprocess.run([sys.executable, "-c", _KILLED_LATER, path], check=False)
    assert os.stat(f"{path}-wal").st_size < 5 * EVERY
    store = open_store(path)
    assert store.last_id == 12 * 30
    store.close()


@pytest.mark.parametrize("sync", list(Sync))
def test_sync_is_sqlite_s_and_the_log_is_written_ahead(path: str, sync: Sync) -> None:
    store = open_store(path, sync)
    assert store._cursor.execute("PRAGMA synchronous").fetchone()[0] == {Sync.NORMAL: 1, Sync.FULL: 2}[sync]
    assert store._cursor.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
    store.close()


def test_a_database_of_a_later_version_is_refused_and_left_alone(path: str) -> None:
    open_store(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(ObservatoryError, match="has version 99"):
        open_store(path)
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (99,)
    connection.close()


def test_a_database_of_an_earlier_version_is_migrated_with_what_is_in_it(
    path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_store(path)
    store.append([event(1)])
    store.close()
    later = (*schema.MIGRATIONS, ("CREATE TABLE extra (a INTEGER)", "INSERT INTO extra SELECT count(*) FROM event"))
    monkeypatch.setattr(schema, "MIGRATIONS", later)
    store = open_store(path)
    assert store._cursor.execute("SELECT a FROM extra").fetchone() == (1,)
    assert store._cursor.execute("PRAGMA user_version").fetchone() == (len(later),)
    assert lines(store) == [event(1).line]
    store.close()


def test_a_migration_that_fails_leaves_the_version_before_it(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    open_store(path).close()
    with monkeypatch.context() as patched:
        patched.setattr(
            schema, "MIGRATIONS", (*schema.MIGRATIONS, ("CREATE TABLE extra (a)", "CREATE TABLE event (a)"))
        )
        with pytest.raises(ObservatoryError, match="already exists"):
            open_store(path)
    store = open_store(path)
    assert store._cursor.execute("PRAGMA user_version").fetchone() == (len(schema.MIGRATIONS),)
    assert store._cursor.execute("SELECT count(*) FROM sqlite_schema WHERE name = 'extra'").fetchone() == (0,)
    store.close()


def test_the_default_place_is_the_user_s_state_directory_with_a_file_for_each_socket(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("STATE_DIRECTORY", raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    assert default_path("/run/a.sock") == str(tmp_path / "state/claude-observatory/run-a.sock.sqlite3")
    assert stat.S_IMODE((tmp_path / "state/claude-observatory").stat().st_mode) == 0o700
    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert default_path("/run/b.sock") == str(tmp_path / "home/.local/state/claude-observatory/run-b.sock.sqlite3")
    monkeypatch.setenv("STATE_DIRECTORY", f"{tmp_path}/var:/other")
    assert default_path("/run/b.sock") == str(tmp_path / "var/run-b.sock.sqlite3")


def test_a_state_directory_that_cannot_be_made_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STATE_DIRECTORY", raising=False)
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    with pytest.raises(ObservatoryError, match=r"cannot make the directory .*file/claude-observatory .*--database"):
        default_path("/run/a.sock")
    monkeypatch.setenv("XDG_STATE_HOME", "relative")
    with pytest.raises(ObservatoryError, match="no state directory"):
        default_path("/run/a.sock")
