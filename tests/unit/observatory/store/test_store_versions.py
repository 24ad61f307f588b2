"""Databases of other versions are migrated, or refused and left alone."""

from __future__ import annotations

import sqlite3

import pytest

from observatory.errors import ObservatoryError
from observatory.store import Query, open_store, schema
from tests.helpers.events import event
from tests.helpers.stored_lines import lines


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
