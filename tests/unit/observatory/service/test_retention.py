"""Deleting old events by a clock that can't run ahead."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from observatory.service import retention
from observatory.service.loop import Loop
from observatory.service.retention import Retention
from observatory.store import Query, Store, open_store
from tests.helpers.events import SECOND, event

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DAY = 86_400
RETAIN = 10 * DAY


class Clocks:
    """What the machine says the time is, and how much has really passed; in seconds."""

    def __init__(self) -> None:
        self.says = 1000.0 * DAY
        self.passed = 5.0

    def go_on(self, seconds: float) -> None:
        self.says += seconds
        self.passed += seconds


@pytest.fixture
def clocks(monkeypatch: pytest.MonkeyPatch) -> Clocks:
    clocks = Clocks()
    monkeypatch.setattr(retention, "_clock", lambda: int(clocks.says * SECOND))
    monkeypatch.setattr(retention, "_passed", lambda: int(clocks.passed * SECOND))
    return clocks


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = open_store(str(tmp_path / "db"))
    yield store
    store.close()


@pytest.fixture
def loop() -> Iterator[Loop]:
    loop = Loop()
    yield loop
    loop.close()


def ids(store: Store) -> list[int]:
    return [int(line.split(b":")[1].split(b",")[0]) for line in store.forward(Query(), 0, store.last_id, 1000).lines]


def fill(store: Store, *days: float) -> None:
    made = [msgspec.structs.replace(event(n), time=int(day * DAY * SECOND)) for n, day in enumerate(days, 1)]
    store.append(made)


def test_what_is_old_is_deleted_as_time_passes(store: Store, loop: Loop, clocks: Clocks) -> None:
    fill(store, 980, 989, 991, 1000)
    retention_ = Retention(loop, store, RETAIN, print)
    assert ids(store) == [3, 4]
    clocks.go_on(2 * DAY)
    retention_._look()
    assert ids(store) == [4]


def test_a_clock_that_jumps_ahead_is_not_believed_and_told_of_once(store: Store, loop: Loop, clocks: Clocks) -> None:
    said: list[str] = []
    fill(store, 991, 995, 1000)
    retention_ = Retention(loop, store, RETAIN, said.append)
    clocks.says += 400 * DAY
    for _ in range(3):
        clocks.go_on(0.6 * DAY)
        retention_._look()
    assert ids(store) == [2, 3]
    (sentence,) = said
    assert sentence.startswith(
        "warning: the clock is 400 days ahead of the time that has passed since the newest event"
    )


def test_a_clock_that_goes_back_and_comes_again_deletes_what_is_due_then(
    store: Store, loop: Loop, clocks: Clocks
) -> None:
    fill(store, 991, 995, 1000)
    retention_ = Retention(loop, store, RETAIN, print)
    clocks.says -= 500 * DAY
    clocks.go_on(2 * DAY)
    retention_._look()
    assert ids(store) == [1, 2, 3]
    clocks.says += 500 * DAY
    retention_._look()
    assert ids(store) == [2, 3]


def test_after_a_long_pause_the_time_goes_on_from_the_newest_event(store: Store, loop: Loop, clocks: Clocks) -> None:
    fill(store, 891, 895, 900)
    retention_ = Retention(loop, store, RETAIN, print)
    assert ids(store) == [1, 2, 3]
    clocks.go_on(2 * DAY)
    retention_._look()
    assert ids(store) == [2, 3]


def test_an_event_of_the_future_does_not_make_the_clock_believed(store: Store, loop: Loop, clocks: Clocks) -> None:
    fill(store, 995, 1000, 1400)
    retention_ = Retention(loop, store, RETAIN, print)
    clocks.says += 400 * DAY
    retention_._look()
    assert ids(store) == [1, 2, 3]


def test_of_an_empty_database_the_clock_is_believed(store: Store, loop: Loop, clocks: Clocks) -> None:
    retention_ = Retention(loop, store, RETAIN, print)
    fill(store, 1000, 1000)
    clocks.go_on(11 * DAY)
    retention_._look()
    assert ids(store) == [2]
