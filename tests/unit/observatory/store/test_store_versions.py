"""Databases of other versions are migrated, or refused and left alone."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from observatory.errors import ObservatoryError
from observatory.store import Query, open_store, schema
from observatory.store.compaction import compact
from tests.helpers.events import event
from tests.helpers.stored_lines import lines

if TYPE_CHECKING:
    from collections.abc import Callable


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


def test_a_database_without_times_in_its_index_is_indexed_anew(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(schema, "MIGRATIONS", schema.MIGRATIONS[:-2])
        open_store(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute("INSERT INTO event VALUES (1, 5, 'Stop', 0, 's', NULL, x'7b7d')")
        connection.execute("INSERT INTO facet VALUES (1, 'Stop', 0, 's', NULL)")
    connection.close()
    store = open_store(path)
    assert store.unindexed == 1
    for _ in range(2):
        assert lines(store, Query(session=("s",), since=5, until=6)) == [b"{}"]
        assert lines(store, Query(session=("s",), since=6)) == []
        store.index()
    assert store.unindexed == 0
    store.close()


def opened(path: str) -> None:
    open_store(path).close()


def compacted(path: str) -> None:
    compact(Path(path))


@pytest.mark.parametrize("use", [opened, compacted])
@pytest.mark.parametrize(
    "made",
    [
        "CREATE TABLE users (name TEXT)",
        "CREATE TABLE event (what TEXT)",
        "CREATE VIEW event AS SELECT 1 AS id",
        "CREATE TABLE users (name TEXT); PRAGMA user_version = 3",
        "CREATE TABLE event (what TEXT); PRAGMA user_version = 99",
        "PRAGMA user_version = 2",
        "PRAGMA journal_mode = WAL; CREATE TABLE users (name TEXT)",
    ],
)
def test_another_program_s_database_is_refused_and_stays_byte_for_byte(
    path: str, made: str, use: Callable[[str], None]
) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(made)
    file = Path(path)
    file.chmod(0o644)
    before = file.read_bytes()
    with pytest.raises(ObservatoryError, match=r"is another program's, and stays as it is: use another --database"):
        use(path)
    assert (file.read_bytes(), file.stat().st_mode & 0o777) == (before, 0o644)
    assert os.listdir(file.parent) == [file.name]


def test_tables_of_another_program_that_are_still_in_its_log_are_seen(path: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript("PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0; CREATE TABLE users (name)")
        os.chmod(path, 0o600)
        os.chmod(f"{path}-wal", 0o600)
        os.chmod(f"{path}-shm", 0o600)
        with pytest.raises(ObservatoryError, match="is another program's"):
            open_store(path)
        assert connection.execute("SELECT group_concat(name) FROM sqlite_master").fetchone() == ("users",)


def test_an_empty_file_becomes_a_database_where_one_is_opened_and_there_is_nothing_in_it_to_compact(path: str) -> None:
    file = Path(path)
    file.touch(0o600)
    with pytest.raises(ObservatoryError, match=r"there is nothing in .* to compact: say which database by --database"):
        compact(file)
    assert (file.stat().st_size, os.listdir(file.parent)) == (0, [file.name])
    store = open_store(path)
    store.append([event(1)])
    assert lines(store) == [event(1).line]
    store.close()


def test_a_database_without_tables_is_like_an_empty_file(path: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("VACUUM")
    assert os.stat(path).st_size
    os.chmod(path, 0o600)
    with pytest.raises(ObservatoryError, match="there is nothing in"):
        compact(Path(path))
    open_store(path).close()
    assert compact(Path(path))[1] > 0
