"""How many are accepted in one turn, and when it ends early."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from observatory.service import acceptor
from tests.helpers.driven_server import driven_server
from tests.helpers.unix_http import post

if TYPE_CHECKING:
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
