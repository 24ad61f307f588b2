"""How many are accepted in one turn, and when it ends early."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from observatory.service import acceptor
from observatory.store import checkpoints
from tests.helpers.deadline import until
from tests.helpers.driven_server import driven_server
from tests.helpers.unix_http import post

if TYPE_CHECKING:
    import socket
    import threading
    from collections.abc import Sequence

    from observatory.events import Event
    from tests.helpers.driven_server import DrivenServer

ENOUGH = 60
SEATS = 16


@pytest.fixture(autouse=True)
def _enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(acceptor, "_ENOUGH", ENOUGH)


def flood(it: DrivenServer, count: int) -> None:
    """Of one user, who has no seat left for the most of them."""
    for _ in range(count):
        it.connect(uid=1000)


def test_a_flood_alone_is_taken_in_whole() -> None:
    with driven_server(SEATS) as it:
        flood(it, 2 * ENOUGH)
        assert it.accept() == 2 * ENOUGH
        assert it.waiting == 0


@pytest.mark.parametrize("before", [SEATS + 4, ENOUGH - 1, ENOUGH + 5])
def test_when_somebody_else_has_come_amid_it_no_more_than_enough_are_taken_in_before_that_is_looked_at(
    before: int,
) -> None:
    """Who comes after enough of them ends it at once."""
    with driven_server(SEATS) as it:
        flood(it, before)
        it.connect(post(close=True), 1001)
        flood(it, 2 * ENOUGH - before)
        accepted = max(ENOUGH, before + 1)
        assert it.accept() == accepted
        assert it.waiting == 2 * ENOUGH + 1 - accepted
        assert it.accept() == 2 * ENOUGH + 1 - accepted
        assert it.waiting == 0


def test_the_answer_to_who_came_amid_it_does_not_wait_for_the_rest() -> None:
    with driven_server(SEATS) as it:
        it.connect(post(), 1002)
        it.turn()  # so that the next turn has something else to do
        it.connect(post() * 20, 1002)
        flood(it, SEATS + 4)
        other = it.connect(post(close=True), 1001)
        flood(it, ENOUGH)  # together no more than wait on macOS
        while b"HTTP/1.1 200 " not in (said := it.take(other)):
            assert not said
            it.turn()
        assert it.waiting > 0


def test_who_comes_before_anybody_is_turned_away_does_not_end_it() -> None:
    with driven_server(SEATS) as it:
        it.connect(uid=1001)
        flood(it, 2 * ENOUGH)
        assert it.accept() == 2 * ENOUGH + 1


def test_it_is_said_how_many_there_were_when_all_are_in() -> None:
    with driven_server(SEATS) as it:
        for count in (3, 0, 1):
            for _ in range(count):
                it.connect()
            assert it.accept() == count


def test_who_comes_while_a_commit_waits_for_the_disk_is_accepted_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("EVERY", "LONGEST"):
        monkeypatch.setattr(checkpoints, name, 1)
    with driven_server(SEATS) as it:
        append, take_in_rest = it._append, it._store._checkpoints._take_in_rest
        others: list[socket.socket] = []
        left: list[int] = []

        def append_while_somebody_comes(events: Sequence[Event]) -> None:
            others.append(it.connect(post(close=True), 1001))
            append(events)

        def take_in_rest_slowly(done: threading.Event) -> None:
            try:
                until(lambda: not it.waiting, "all are accepted")
            finally:
                left.append(it.waiting)
                take_in_rest(done)

        monkeypatch.setattr(it, "_append", append_while_somebody_comes)
        monkeypatch.setattr(it._store._checkpoints, "_take_in_rest", take_in_rest_slowly)
        it.connect(post(close=True), 1002)
        while not left:
            it.turn()
        assert left == [0]
        it.turn()
        assert all(b"HTTP/1.1 200 " in it.take(other) for other in others[:-1])
