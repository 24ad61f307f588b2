"""A database's file becomes smaller with what is deleted: beside the work, or by `compact`."""

from __future__ import annotations

import os
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest

from observatory.errors import ObservatoryError
from observatory.store import Query, Store, open_store
from observatory.store.checkpoints import GIVE_BACK
from observatory.store.compaction import compact
from tests.helpers.deadline import until
from tests.helpers.events import SECOND, event

PART = 100
LINE = 8000
COUNT = 10 * PART


def fill(store: Store) -> None:
    for first in range(store.last_id + 1, store.last_id + 1 + COUNT, PART):
        store.append([event(number, LINE) for number in range(first, first + PART)])
    while store.unindexed:
        store.index()


def free_pages(path: str) -> int:
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        found: int = connection.execute("PRAGMA freelist_count").fetchone()[0]
        return found


def whole(path: str) -> bool:
    with closing(sqlite3.connect(path)) as connection:
        return bool(connection.execute("PRAGMA integrity_check").fetchone() == ("ok",))


def kept(store: Store) -> list[int]:
    found, after = [], 0
    while after < store.last_id:
        rows = store.forward(Query(), after, store.last_id, 1000)
        found += [int(line.split(b":")[1].split(b",")[0]) for line in rows.lines]
        after = rows.seen
    return found


def test_the_file_shrinks_while_events_are_appended(path: str) -> None:
    store = open_store(path)
    fill(store)
    store._checkpoints._take_in()
    until(lambda: os.stat(path).st_size > COUNT * LINE, "all of it is in the file")
    assert store.shrinks
    while store.forget(before=(COUNT - 50) * SECOND):
        pass
    assert store.size < 100 * LINE
    store.give_back()
    number = COUNT
    while os.stat(path).st_size > 200 * LINE:
        number += 1
        store.append([event(number)])
    assert kept(store) == list(range(COUNT - 50, number + 1))
    until(lambda: not store._checkpoints._giving_back, "it is done")
    assert free_pages(path) == 0
    store.close()
    assert whole(path)


def test_it_is_another_thread_that_gives_back_a_little_at_a_time(
    store: Store, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    left: list[int] = []
    look = store._checkpoints._free_pages

    def noting() -> int:
        left.append(look())
        return left[-1]

    monkeypatch.setattr(store._checkpoints, "_free_pages", noting)
    fill(store)
    while store.forget(before=COUNT * SECOND):
        pass
    before = free_pages(path)
    assert before > 4 * GIVE_BACK
    store._writing.acquire()
    store.give_back()
    threading.Event().wait(0.1)
    assert free_pages(path) == before, "who appends holds it up"
    store._writing.release()
    until(lambda: not store._checkpoints._giving_back, "it is done")
    assert free_pages(path) == 0
    assert left == [*range(before, 0, -GIVE_BACK), 0], "others may write in between"


def test_a_few_free_pages_are_left_for_the_next_events(store: Store, path: str) -> None:
    fill(store)
    store.forget(before=80 * SECOND)
    free = free_pages(path)
    assert free > 0
    store.give_back()
    assert not store._checkpoints._giving_back
    assert free_pages(path) == free


@pytest.mark.parametrize("most", [COUNT * LINE // 2, COUNT * LINE // 4])
def test_the_oldest_are_deleted_until_the_rest_is_small_enough_and_no_more(store: Store, most: int) -> None:
    fill(store)
    while store.forget_beyond(most):
        pass
    left = kept(store)
    assert left == list(range(left[0], COUNT + 1))
    assert 0.9 * most < store.size <= most
    assert not store.forget_beyond(most)
    while store.forget_beyond(1):
        pass
    assert kept(store) == [COUNT], "the newest stays: its number must not be given again"


@pytest.fixture
def old(path: str) -> str:
    """A database that an earlier version made."""
    store = open_store(path)
    identity = store.identity
    store.close()
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA auto_vacuum = NONE")
        connection.execute("VACUUM")
    again = open_store(path)
    assert again.identity == identity
    assert not again.shrinks
    fill(again)
    again.forget(before=COUNT * SECOND)
    again.give_back()
    until(lambda: not again._checkpoints._giving_back, "it has tried")
    assert free_pages(path) > 100
    again.close()
    return path


def test_a_database_of_an_earlier_version_shrinks_once_it_is_compacted(old: str) -> None:
    before, after = compact(Path(old))
    assert after == os.stat(old).st_size
    assert after < before / 1.2
    assert os.stat(old).st_mode & 0o777 == 0o600
    store = open_store(old)
    assert store.shrinks
    left = kept(store)
    assert left == list(range(left[0], COUNT + 1))
    store.close()
    assert whole(old)
    assert all(name.startswith(Path(old).name) for name in os.listdir(Path(old).parent))


def test_a_database_that_a_server_uses_is_not_compacted(store: Store, path: str) -> None:
    with pytest.raises(ObservatoryError, match="another server uses the database"):
        compact(Path(path))


def test_a_database_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(ObservatoryError, match="there is no database"):
        compact(tmp_path / "none")
    assert list(tmp_path.iterdir()) == []
