"""Each row of the table of a connection's states happens, and nothing that it lacks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from observatory.service.limits import DEADLINE, TURN_BUDGET
from observatory.service.states import (
    ANSWER,
    ANSWERING,
    BLOCKED,
    CLOSE,
    CLOSED,
    DEFER,
    DRAIN,
    DRAINING,
    FOLLOWING,
    HOOK,
    LIVE,
    NEW,
    QUEUED,
    READ,
    READING,
    RESUME,
    SENT,
    STREAM,
    STREAMING,
    TRANSITIONS,
    WAITING,
)
from tests.helpers.driven_server import END_GRACE, PART_OF_TURN, REQUESTS_PER_TURN, DrivenServer, driven_server
from tests.helpers.unix_http import post

if TYPE_CHECKING:
    from collections.abc import Callable

HEALTH = b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n"
EVENTS = b"GET /events HTTP/1.1\r\nHost: x\r\n\r\n"
FOLLOW = b"GET /events?follow=1 HTTP/1.1\r\nHost: x\r\n\r\n"
FOLLOW_ONE = b"GET /events?after=0&limit=1&follow=1 HTTP/1.1\r\nHost: x\r\n\r\n"
NONSENSE = b"nonsense\r\n\r\n"
LARGE = b'{"x":"' + b"x" * 6000 + b'"}'
"""More than the kernel keeps for a peer here."""


def says_nothing(it: DrivenServer) -> None:
    it.connect()
    it.turn()
    assert it.states() == ["READING"]


def says_what_another_has_said_before(it: DrivenServer) -> None:
    for _ in range(2):
        peer = it.connect(post())
        it.turn()
        assert it.take(peer).startswith(b"HTTP/1.1 200 ")


def is_one_too_many(it: DrivenServer) -> None:
    peers = [it.connect() for _ in range(10)]
    it.turn(10)
    assert it.take(peers[-1]).startswith(b"HTTP/1.1 503 ")
    assert len(it.states()) < len(peers)


def says_an_event_in_two_pieces(it: DrivenServer) -> None:
    peer = it.connect(post()[:-1])
    it.turn()
    it.say(peer, post()[-1:])
    it.turn()
    assert it.take(peer).startswith(b"HTTP/1.1 200 ")
    assert it.states() == ["READING"]


def says_several_events_at_once(it: DrivenServer) -> None:
    peer = it.connect(post() * 2)
    it.turn()
    assert it.take(peer).count(b"HTTP/1.1 200 ") == 2


def asks_something(it: DrivenServer) -> None:
    peer = it.connect(HEALTH)
    it.turn()
    assert it.take(peer).startswith(b"HTTP/1.1 200 ")
    assert it.states() == ["READING"]


def asks_more_than_a_turn_takes(it: DrivenServer) -> None:
    peer = it.connect(HEALTH * (3 * REQUESTS_PER_TURN + 1))
    it.turn()
    assert it.states() == ["QUEUED"]
    assert len(it.take_all(peer).split(b"HTTP/1.1 200 ")) == 3 * REQUESTS_PER_TURN + 2


def has_asked_too_much_when_the_server_ends(it: DrivenServer) -> None:
    it.connect(HEALTH * 1000)
    it.turn()
    assert it.states() == ["QUEUED"]
    it.tick = 1.0  # the end has no time for anyone


def goes(it: DrivenServer) -> None:
    it.connect().close()
    it.turn()
    assert it.states() == []


def says_an_event_and_that_it_was_the_last(it: DrivenServer) -> None:
    peer = it.connect(post(close=True))
    it.turn()
    assert it.take(peer).startswith(b"HTTP/1.1 200 ")
    assert it.states() == []


def does_not_take_the_answers_to_its_events(it: DrivenServer) -> None:
    peer = it.connect()
    it.turn()
    for _ in range(100):
        it.say(peer, post())
        it.turn()
    assert it.states() == ["ANSWERING"]
    assert it.take_all(peer).count(b"HTTP/1.1 200 ") == len(it.published) == 100
    assert it.states() == ["READING"]


def goes_before_it_has_taken_an_answer(it: DrivenServer) -> None:
    peer = it.connect(HEALTH * 100)
    it.turn(50)
    assert it.states() == ["ANSWERING"]
    peer.close()
    it.turn(2)
    assert it.states() == []


def does_not_take_why_it_is_refused(it: DrivenServer) -> None:
    asked = 0
    while True:  # as much as makes the refusal the first thing that the kernel doesn't keep
        peer = it.connect(HEALTH * asked + NONSENSE)
        it.turn(asked + 1)
        (connection,) = it.connections.open
        if connection.to_drain and connection.state is ANSWERING:
            break
        peer.close()
        it.turn(3)
        asked += 1
    assert it.states() == ["ANSWERING"]
    assert it.take_all(peer).count(b"HTTP/1.1 400 ") == 1
    assert it.states() == ["DRAINING"]
    it.say(peer, b"x" * 1000)
    it.turn()
    assert it.states() == ["DRAINING"]
    peer.close()
    it.turn()
    assert it.states() == []


def store(it: DrivenServer, *bodies: bytes) -> None:
    for body in bodies:
        peer = it.connect(post(body, close=True))
        it.turn(2)
        peer.close()


def reads(it: DrivenServer) -> None:
    store(it, b"{}")
    peer = it.connect(EVENTS)
    it.turn()
    assert b'"_id":1' in it.take(peer)
    assert it.states() == ["READING"]


def reads_slowly(it: DrivenServer) -> None:
    store(it, *[LARGE] * 100)
    peer = it.connect(EVENTS)
    it.turn()
    assert it.states() == ["ANSWERING"]
    assert it.take_all(peer).count(b'"_id":') == 100
    assert it.states() == ["READING"]


def goes_before_it_reads(it: DrivenServer) -> None:
    it.connect(EVENTS).close()
    it.turn()
    assert it.states() == []


def follows(it: DrivenServer) -> None:
    peer = it.connect(FOLLOW)
    it.turn()
    assert it.states() == ["FOLLOWING"]
    store(it, b'{"followed":1}')
    assert b'"followed":1' in it.take(peer)


def follows_and_goes(it: DrivenServer) -> None:
    peer = it.connect(FOLLOW)
    it.turn()
    peer.close()
    it.turn()
    assert it.states() == []


def follows_until_it_has_enough(it: DrivenServer) -> None:
    peer = it.connect(FOLLOW_ONE)
    it.turn()
    store(it, b'{"followed":1}')
    assert it.take(peer).endswith(b"0\r\n\r\n")
    assert it.states() == ["READING"]


def has_followed_enough_and_not_taken_it(it: DrivenServer) -> None:
    peer = it.connect(FOLLOW_ONE)
    it.turn()
    store(it, LARGE)
    assert it.states() == ["ANSWERING"]
    assert it.take_all(peer).endswith(b"0\r\n\r\n")
    assert it.states() == ["READING"]


def follows_beside_more_than_a_turn_tells(it: DrivenServer) -> None:
    followers = [it.connect(FOLLOW) for _ in range(5)]
    it.turn(5)
    store(it, b'{"followed":"%b"}' % (b"x" * (PART_OF_TURN // 3)))
    for follower in followers:
        assert it.take_all(follower).count(b'"followed":') == 1
    assert it.states() == ["FOLLOWING"] * 5


SCENARIOS: dict[tuple[object, object], Callable[[DrivenServer], None]] = {
    (NEW, READ): says_nothing,
    (NEW, HOOK): says_what_another_has_said_before,
    (NEW, CLOSE): is_one_too_many,
    (READING, HOOK): says_an_event_in_two_pieces,
    (READING, ANSWER): asks_something,
    (READING, STREAM): reads,
    (READING, DEFER): asks_more_than_a_turn_takes,
    (READING, CLOSE): goes,
    (QUEUED, RESUME): asks_more_than_a_turn_takes,
    (QUEUED, CLOSE): has_asked_too_much_when_the_server_ends,
    (WAITING, HOOK): says_several_events_at_once,
    (WAITING, SENT): says_an_event_in_two_pieces,
    (WAITING, BLOCKED): does_not_take_the_answers_to_its_events,
    (WAITING, CLOSE): says_an_event_and_that_it_was_the_last,
    (ANSWERING, SENT): does_not_take_the_answers_to_its_events,
    (ANSWERING, STREAM): reads_slowly,
    (ANSWERING, DRAIN): does_not_take_why_it_is_refused,
    (ANSWERING, CLOSE): goes_before_it_has_taken_an_answer,
    (STREAMING, SENT): reads,
    (STREAMING, BLOCKED): reads_slowly,
    (STREAMING, LIVE): follows,
    (STREAMING, CLOSE): goes_before_it_reads,
    (FOLLOWING, SENT): follows_until_it_has_enough,
    (FOLLOWING, STREAM): follows_beside_more_than_a_turn_tells,
    (FOLLOWING, BLOCKED): has_followed_enough_and_not_taken_it,
    (FOLLOWING, CLOSE): follows_and_goes,
    (DRAINING, CLOSE): does_not_take_why_it_is_refused,
}
"""A peer for each row of the table."""


def test_every_row_of_the_table_has_a_peer_here() -> None:
    assert set(SCENARIOS) == {(state, occasion) for state, row in TRANSITIONS.items() for occasion in row}


@pytest.mark.parametrize("row", SCENARIOS, ids=lambda row: f"{row[0].name}-{row[1].name}")
def test_a_peer_moves_a_connection_as_the_table_says(row: tuple[object, object]) -> None:
    with driven_server() as it:
        SCENARIOS[row](it)
        it.finish()
    assert row in it.moves


def test_what_the_table_lacks_is_refused() -> None:
    with driven_server() as it:
        it.connect()
        it.turn()
        (connection,) = it.connections.open
        with pytest.raises(LookupError, match=r"LIVE can't happen to a connection that is READING"):
            it.connections.move(connection, LIVE)
        assert connection.state is READING


def test_nothing_happens_to_a_connection_that_is_closed() -> None:
    assert TRANSITIONS[CLOSED] == {}
    assert all(CLOSE in row for state, row in TRANSITIONS.items() if state is not CLOSED)


def test_what_was_said_before_the_end_is_answered_though_it_is_more_than_a_turn_takes() -> None:
    with driven_server() as it:
        asked = 2 * REQUESTS_PER_TURN + 1
        peer = it.connect(HEALTH * asked)
        it.turn()
        assert it.states() == ["QUEUED"]
        answers = it.take(peer)
        it.finish()
        assert (answers + it.take(peer)).count(b"HTTP/1.1 200 ") == asked


@pytest.mark.parametrize("stored", [0, 1, 20], ids=["empty", "small", "large"])
def test_nothing_follows_an_answer_whose_end_is_that_of_its_connection(stored: int) -> None:
    """A reader that speaks HTTP/1.0 takes all that comes for its answer, whatever it has asked besides."""
    with driven_server() as it:
        store(it, *[LARGE] * stored)
        peer = it.connect((EVENTS + HEALTH).replace(b"1.1\r\n", b"1.0\r\nConnection: keep-alive\r\n"))
        it.turn(3)
        assert it.take_all(peer).count(b"HTTP/1.1 ") == 1
        assert it.states() == []


def test_readers_get_a_piece_each_in_turn() -> None:
    with driven_server() as it:
        store(it, *[b"{}"] * 60)
        it.tick = 2 * TURN_BUDGET  # one piece is all that there is time for in a turn
        peers = [it.connect(EVENTS) for _ in range(3)]
        while len(it.states()) < len(peers):
            it.turn()
        assert it.states() == ["STREAMING"] * 3
        for peer in peers:
            it.take(peer)
        pieces = [0, 0, 0]
        for _ in range(9):
            it.turn()
            for number, peer in enumerate(peers):
                pieces[number] += bool(it.take(peer))
        assert pieces == [3, 3, 3]


def test_who_follows_has_no_deadline_and_who_reads_has() -> None:
    with driven_server() as it:
        store(it, *[LARGE] * 100)
        follower, reader = it.connect(FOLLOW), it.connect(EVENTS)
        it.turn(3)
        assert it.states() == ["ANSWERING", "ANSWERING"]
        it.now += DEADLINE + 1
        it.turn()
        (left,) = it.connections.open
        assert left.stream is not None
        assert left.stream.follows
        assert it.take_all(follower).count(b'"_id":') == 100
        assert it.states() == ["FOLLOWING"]
        assert not it.take_all(reader).endswith(b"0\r\n\r\n")


def test_the_end_waits_for_whoever_has_begun_and_for_nobody_else() -> None:
    with driven_server() as it:
        idle = it.connect(HEALTH)
        follower = it.connect(FOLLOW)
        it.turn(2)
        begun = it.now
        it.finish()
        assert it.now - begun < END_GRACE
        assert it.take(idle).startswith(b"HTTP/1.1 200 ")
        assert it.take(follower).endswith(b"\r\n0\r\n\r\n")
    with driven_server() as it:
        it.connect(post()[:-1])
        it.turn()
        begun = it.now
        it.finish()
        assert it.now - begun >= END_GRACE
