"""The database: what is kept, how it's found, who may open it, and what happens when it can't be written."""

from __future__ import annotations

import os
import re
import sqlite3
import subprocess
import sys
import threading

import pytest

from observatory.events import Event
from observatory.store import NotStored, Query, Store, Sync, open_store
from observatory.store.checkpoints import EVERY, LITTLE, REPEATED, Checkpoints
from tests.helpers.deadline import until
from tests.helpers.events import SECOND, event
from tests.helpers.stored_lines import ALL, lines

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


def test_the_newest_are_found_backwards(store: Store) -> None:
    store.append([event(n, name="A" if n % 2 else "B") for n in range(1, 11)])
    assert store.backward(Query(), 11, 3).ids == [10, 9, 8]
    assert store.backward(Query(name=("A",)), 11, 3).ids == [9, 7, 5]
    assert store.backward(Query(name=("A",)), 5, 9).ids == [3, 1]
    for _ in range(2):
        assert store.backward(Query(name=("A", "B")), 8, 4).ids == [7, 6, 5, 4]
        assert lines(store, Query(name=("B", "A")), limit=3) == [
            event(n, name="AB"[n % 2 == 0]).line for n in (1, 2, 3)
        ]
        store.index()


@pytest.mark.parametrize("indexed", [True, False])
def test_queries_find_what_they_ask_for_whether_it_is_indexed_or_not(store: Store, indexed: bool) -> None:
    store.append([event(1, uid=1), event(2, uid=None), event(3, uid=1, session="s"), event(4, uid=2, session="s")])
    if indexed:
        store.index()
        assert store.unindexed == 0
    assert lines(store, Query(uid=1)) == [event(1).line, event(3).line]
    assert lines(store, Query(session=("s",))) == [event(3).line, event(4).line]
    assert lines(store, Query(session=("s",), uid=2)) == [event(4).line]
    assert lines(store, Query(uid=-1)) == []
    assert lines(store, Query(), after=3) == [event(4).line]


@pytest.mark.parametrize("lines", [True, False])
@pytest.mark.parametrize(
    ("query", "index"),
    [
        (Query(session=("s",), tool=("t",), name=("n",), uid=1), r"uid_and_session \(uid=\? AND session=\?"),
        (Query(tool=("t",), name=("n",), uid=1), "uid"),
        (Query(uid=1), "uid"),
        (Query(session=("s",), tool=("t",), name=("n",)), "session"),
        (Query(tool=("t",), name=("n",)), "tool"),
        (Query(name=("n",)), "name"),
        (Query(name=("n", "m"), since=1), "name"),
        (Query(session=("s", "r"), tool=("t", "u"), uid=1), r"uid_and_session \(uid=\? AND session=\?"),
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
    searched = [step for step in steps if step.startswith("SEARCH facet")]
    assert searched
    for step in searched:
        assert re.match(rf"SEARCH facet USING (COVERING )?INDEX facet_by_{index} .*rowid>\? AND rowid<\?", step), steps
    assert not any("SCAN" in step or "TEMP B-TREE" in step for step in steps), steps


def steps_of(store: Store, sql: str, values: tuple[str | int, ...]) -> int:
    """How many instructions SQLite's machine runs to find everything, and that it finds nothing.

    The statement is there already, as a server has it: since SQLite 3.41 the work of preparing one is counted too.
    """
    steps = 0
    store._connection.execute(sql, (*values, 0, 10_000)).fetchall()

    def count() -> int:
        nonlocal steps
        steps += 1
        return 0

    store._connection.set_progress_handler(count, 1)
    found = store._connection.execute(sql, (*values, 0, 10_000)).fetchall()
    store._connection.set_progress_handler(None, 0)
    assert found == []
    return steps


@pytest.mark.parametrize("field", ["session", "tool", "name"])
def test_a_reader_can_t_tell_by_the_time_it_takes_what_another_user_has(store: Store, field: str) -> None:
    hers = {"session": "hers", "tool": "Hers", "name": "Hers"}
    rows = [Event(n, n, "Stop", 1, "his", "Bash", b"{}") for n in range(1, 50)]
    rows += [Event(n, n, hers["name"], 2, hers["session"], hers["tool"], b"{}") for n in range(50, 3000)]
    store.append(rows)
    while store.unindexed:
        store.index()
    asked = ({field: value} for value in ("none", hers[field]))
    of_nobody, of_another = (Query.of({"event": each.pop("name")} if "name" in each else each, 1) for each in asked)
    one, other = (steps_of(store, *query.selection(lines=True, lagging=False)) for query in (of_nobody, of_another))
    assert one == other
    sql, values = of_another.selection(lines=True, lagging=False)
    by_its_value = sql.replace("facet.uid =", "+facet.uid =").replace(f"+facet.{field} =", f"facet.{field} =")
    assert steps_of(store, by_its_value, values) > 10 * other


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
    store._checkpoints = Checkpoints(path, "NORMAL", store._locks[-1])  # so that the fixture can close it


def test_what_was_taken_in_beside_the_work_is_on_the_disk(
    path: str, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite syncs the database only at the end of the log, where a commit would wait for all that came before."""
    synced, sync = [], os.fsync

    def noting(descriptor: int) -> None:
        synced.append(os.fstat(descriptor).st_ino)
        sync(descriptor)

    monkeypatch.setattr("observatory.store.checkpoints.os.fsync", noting)
    for number in range(1, 60):
        store.append([event(number, size=EVERY // 20)])
    until(lambda: not store._checkpoints._under_way, "it is taken in")
    assert set(synced) == {os.stat(path).st_ino}


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


def test_what_comes_while_the_log_is_taken_in_is_left_to_the_thread_unless_it_is_little(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A commit that took in the rest of a flood of large events held up the service for a tenth of a second."""
    checkpoints = store._checkpoints
    did: list[str] = []
    monkeypatch.setattr("observatory.store.checkpoints.LONGEST", EVERY)
    monkeypatch.setattr(checkpoints, "_take_in", lambda: did.append("the thread"))
    monkeypatch.setattr(checkpoints, "_begin_anew", lambda: did.append("the writer"))
    for appended in (EVERY, 4 * LITTLE, LITTLE, 0):
        checkpoints.appended(appended)
    assert did == ["the thread", "the thread", "the writer"]
    did.clear()
    checkpoints.appended(EVERY)
    for _ in range(REPEATED + 1):  # it never becomes little, and the log is not to grow for ever
        checkpoints.appended(EVERY)
    assert did == ["the thread"] * (1 + REPEATED) + ["the writer"]


def test_while_a_commit_waits_for_the_disk_other_work_is_done(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel's queue of connections was full before a checkpoint on a busy machine had ended."""
    monkeypatch.setattr("observatory.store.checkpoints.LONGEST", EVERY)
    monkeypatch.setattr("observatory.store.checkpoints.LITTLE", 2**40)
    called, waited, times = threading.Event(), threading.Event(), 0
    take_in = store._checkpoints._take_in_rest

    def slow(done: threading.Event) -> None:
        called.wait(5)
        waited.set()
        take_in(done)

    def meanwhile() -> None:
        nonlocal times
        times += 1
        if times == 3:
            called.set()

    monkeypatch.setattr(store._checkpoints, "_take_in_rest", slow)
    store.call_meanwhile(meanwhile)
    for number in range(1, 60):
        store.append([event(number, size=EVERY // 20)])
        until(lambda: not store._checkpoints._under_way, "it is taken in")
        if waited.is_set():
            break
    assert times >= 3
    assert store._checkpoints._log == 0, "the log begins anew"


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
    for name in ("fullfsync", "checkpoint_fullfsync"):
        assert store._cursor.execute(f"PRAGMA {name}").fetchone()[0] == (sync is Sync.FULL)
    assert store._cursor.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
    store.close()


def test_the_newest_time_is_that_of_the_last_event(store: Store) -> None:
    assert store.newest_time() is None
    store.append([event(1), event(2)])
    assert store.newest_time() == 2 * SECOND
