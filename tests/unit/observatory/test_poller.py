"""Waiting for descriptors, in every way there is on this machine."""

from __future__ import annotations

import os
import select
import socket
from typing import TYPE_CHECKING

import pytest

from observatory.service.poller import READ, WRITE, EpollPoller, Poller, SelectorPoller

if TYPE_CHECKING:
    from collections.abc import Iterator

POLLERS = [
    pytest.param(SelectorPoller, id="selectors"),
    pytest.param(
        EpollPoller,
        id="epoll",
        marks=pytest.mark.skipif(not hasattr(select, "epoll"), reason="epoll is Linux's"),
    ),
]


@pytest.fixture(params=POLLERS)
def poller(request: pytest.FixtureRequest) -> Iterator[Poller]:
    poller: Poller = request.param()
    yield poller
    poller.close()


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    one, other = socket.socketpair()
    with one, other:
        yield one, other


def test_whoever_waits_is_called_in_every_turn_until_there_is_nothing_left(poller: Poller, pair):
    one, other = pair
    calls = []
    poller.watch(one.fileno(), READ, lambda _bits: calls.append(1))
    poller.wait(0)
    assert calls == []
    other.send(b"x")
    poller.wait(None)
    poller.wait(None)
    assert calls == [1, 1]
    one.recv(1)
    poller.wait(0)
    assert calls == [1, 1]


def test_what_is_waited_for_can_change(poller: Poller, pair):
    one, other = pair
    other.send(b"x")
    calls = []
    poller.watch(one.fileno(), WRITE, lambda _bits: calls.append(1))
    poller.wait(None)
    poller.change(one.fileno(), READ)
    poller.wait(None)
    one.recv(1)
    poller.wait(0)
    assert calls == [1, 1]


def test_a_peer_that_goes_away_is_noticed_while_waiting_to_write_or_to_read(poller: Poller, pair):
    one, other = pair
    calls = []
    poller.watch(one.fileno(), READ, lambda _bits: calls.append(1))
    other.close()
    poller.wait(None)
    assert calls == [1]


def test_one_that_was_forgotten_in_the_same_turn_is_not_called(poller: Poller):
    pairs = [socket.socketpair() for _ in range(2)]
    calls = []

    def first_come(mine: int, others: int) -> None:
        calls.append(mine)
        poller.forget(pairs[others][0].fileno())

    for mine, others in ((0, 1), (1, 0)):
        poller.watch(pairs[mine][0].fileno(), READ, lambda _bits, mine=mine, others=others: first_come(mine, others))
        pairs[mine][1].send(b"x")
    poller.wait(None)
    assert len(calls) == 1
    for one, other in pairs:
        one.close()
        other.close()


def test_a_pipe_and_a_number_that_was_used_before_are_watched_like_any_other(poller: Poller):
    calls = []
    for _ in range(2):
        reading, writing = os.pipe()
        poller.watch(reading, READ, lambda _bits: calls.append(1))
        os.write(writing, b"x")
        poller.wait(None)
        poller.forget(reading)
        os.close(reading)
        os.close(writing)
    assert calls == [1, 1]
