"""One user's part of a turn: all who wait are accepted at once, and what one brings takes nothing from another."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from observatory.service.limits import BYTES_TO_PARSE, FEW_GROUPS, GROUP_SIZE
from observatory.service.quota import Accounts, Range
from observatory.service.requests import _to_read
from observatory.service.states import BLOCKED, FOLLOWING, STREAM
from tests.helpers.driven_server import FOLLOWER_BUFFER, PART_OF_TURN, driven_server
from tests.helpers.unix_http import post

if TYPE_CHECKING:
    import socket

    from tests.helpers.driven_server import DrivenServer

LARGE = post(b'{"x":"%b"}' % (b"x" * (PART_OF_TURN // 4)))
COSTLY = post(b'{"x":"%b"}' % (b"\\ud800" * 600))
HEALTH = b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n"
SEATS = 400
FLOODS = {
    "large": LARGE,
    "costly": COSTLY,
    "pipelined": HEALTH * 2000,
    "events": post() * 100,
}
CHEAP = {"half a head": post()[:30], "nonsense": b"x" * 1000, "nothing": b""}


def flooded(it: DrivenServer, said: bytes, count: int = 60, uid: int = 1000) -> list[socket.socket]:
    return [it.connect(said, uid) for _ in range(count)]


@pytest.mark.parametrize("said", FLOODS.values(), ids=FLOODS)
def test_another_user_s_event_is_answered_in_the_turn_in_which_it_comes(said: bytes) -> None:
    with driven_server(SEATS) as it:
        flooded(it, said)
        it.turn(3)
        for _ in range(5):
            flooded(it, said, 5)
            other = it.connect(post(close=True), 1001)
            it.turn()
            assert it.take(other).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("said", CHEAP.values(), ids=CHEAP)
def test_another_user_s_event_is_answered_when_all_before_it_are_looked_at(said: bytes) -> None:
    """Where there is nothing else to do it takes a few turns to find out how many wait."""
    with driven_server(SEATS) as it:
        flooded(it, said)
        it.turn(60)
        for _ in range(5):
            flooded(it, said, 5)
            other = it.connect(post(close=True), 1001)
            it.turn(6)
            assert it.take(other).startswith(b"HTTP/1.1 200 ")


def test_all_who_wait_are_accepted_in_one_turn_and_looked_at_in_their_parts() -> None:
    with driven_server(SEATS) as it:
        it.connect(HEALTH * 100)  # there is something else to do
        it.turn()
        flooded(it, LARGE)
        it.turn()
        assert it.states().count("NEW") >= 50
        assert len(it.published) <= 5
        it.turn(60)
        assert len(it.published) == 60


def events_of_a_turn_in_which_many_are_turned_away() -> int:
    with driven_server(40) as it:
        it.connect(HEALTH * 100, 1002)  # there is something else to do
        it.turn()
        flooded(it, post(), 90)
        other, before = it.connect(post(close=True), 1001), len(it.published)
        it.turn()
        assert "uid 1000 has too many connections: a new one was refused" in " ".join(it.log)
        assert it.take(other).startswith(b"HTTP/1.1 200 ")
        return len(it.published) - before - 1


def test_one_who_is_turned_away_has_little_of_that_turn_and_another_all_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert events_of_a_turn_in_which_many_are_turned_away() == 1
    monkeypatch.setattr("observatory.service.requests.Requests.hold_back", lambda *_: None)
    assert events_of_a_turn_in_which_many_are_turned_away() > 1


def test_whoever_has_had_more_than_a_part_has_less_of_the_next() -> None:
    with driven_server(SEATS) as it:
        flooded(it, post(b'{"x":"%b"}' % (b"\\ud800" * 600)) * 3, 2)
        it.turn()
        assert len(it.published) == 3
        it.turn()
        assert len(it.published) == 3


def test_whom_there_is_no_seat_for_is_turned_away_in_the_turn_in_which_they_come() -> None:
    with driven_server(seats=32) as it:
        it.connect(HEALTH * 100)  # there is something else to do
        it.turn()
        peers = flooded(it, b"")
        it.turn()
        held = it.connections.seats.held(1000)
        assert held == 13
        told = [it.take(peer).startswith(b"HTTP/1.1 503 ") for peer in peers]
        assert told == [False] * held + [True] * 16 + [False] * (len(peers) - held - 16)
        assert sum(peer.recv(1) == b"" for peer in peers[held:]) == len(peers) - held
        assert it.take(other := it.connect(post(), 1001)) == b""
        it.turn()
        assert it.take(other).startswith(b"HTTP/1.1 200 ")


def test_one_person_s_many_uids_have_one_person_s_seats() -> None:
    with driven_server(seats=160) as it:
        it.server.connections.accounts = accounts = Accounts([Range(1000, 100_000, 65_536)])
        for _, acceptor in it.server._acceptors:
            acceptor._account_of = accounts.of
        for uid in (1000, *range(100_000, 100_040)):
            flooded(it, b"", 3, uid)
        it.turn(100)
        assert it.connections.seats.held(1000) == len(it.connections.open) == 70
        assert it.connections.seats.held(100_000) == 0


def test_of_what_may_be_requests_little_is_read_at_once_and_of_one_body_much() -> None:
    assert _to_read(0) == _to_read(1) == BYTES_TO_PARSE
    assert _to_read(BYTES_TO_PARSE + 1) == BYTES_TO_PARSE + 1
    assert _to_read(1 << 24) == 128 * 1024


def test_unfinished_heads_and_unanswered_requests_are_charged_and_given_back() -> None:
    with driven_server(SEATS) as it:
        head = it.connect(b"GET /" + b"x" * 9000, 1000)
        it.turn()
        assert it.connections.memory.held(1000) >= 9000
        asked = it.connect(HEALTH * 200, 1001)
        it.turn(2)
        assert it.connections.memory.held(1001) >= 100 * len("/health")
        for peer in (head, asked):
            peer.close()
        it.turn(100)
        assert (it.connections.memory.held(1000), it.connections.memory.held(1001)) == (0, 0)


def test_who_has_too_much_of_unfinished_heads_is_refused() -> None:
    with driven_server(SEATS) as it:
        peers = flooded(it, b"GET /" + b"x" * 15_000)
        it.turn(60)
        assert it.connections.memory.held(1000) <= it.connections.memory.capacity // 2
        assert sum(it.take(peer).startswith(b"HTTP/1.1 503 ") for peer in peers) > 10
        assert "uid 1000 has too much under way at once: a connection was refused" in it.log


def test_many_groups_are_charged_and_few_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    with driven_server(SEATS) as it:
        monkeypatch.setattr(it, "groups", tuple(range(FEW_GROUPS)))
        it.connect(b"", 1000)
        it.turn()
        assert it.connections.memory.held(1000) == 0
        monkeypatch.setattr(it, "groups", tuple(range(1000)))
        peer = it.connect(b"", 1000)
        it.turn()
        assert it.connections.memory.held(1000) == 1000 * GROUP_SIZE
        peer.close()
        it.turn()
        assert it.connections.memory.held(1000) == 0


def test_a_user_s_followers_beyond_a_part_get_all_the_same_later() -> None:
    with driven_server(SEATS) as it:
        followers = [it.connect(b"GET /events?follow=1 HTTP/1.1\r\nHost: x\r\n\r\n") for _ in range(30)]
        it.turn(3)
        told = [b""] * len(followers)
        for number in range(20):
            it.connect(post(b'{"n":%d,"x":"%b"}' % (number, b"x" * (FOLLOWER_BUFFER // 2)), close=True))
            while len(it.published) <= number:
                it.turn()
            told = [before + it.take_all(follower) for before, follower in zip(told, followers, strict=True)]
        assert {(FOLLOWING, STREAM), (FOLLOWING, BLOCKED)} & it.moves, "nobody was beyond the part"
        assert it.states() == ["FOLLOWING"] * 30
        assert [each.count(b'"n":') for each in told] == [20] * 30
