"""Waiting for descriptors, in every way there is on this machine."""

from __future__ import annotations

import functools
import itertools
import os
import socket
import sys
import time
from typing import TYPE_CHECKING, Protocol

import pytest

from observatory.service.poller import READ, SLEEPS_BEFORE_SPIN, WRITE, Poller, SelectorPoller
from observatory.service.poller import poller as best_poller

if sys.platform == "linux":
    from observatory.service.poller import EpollPoller

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="epoll is Linux's")
POLLERS = [pytest.param(SelectorPoller, id="selectors")]
if sys.platform == "linux":
    POLLERS.append(pytest.param(EpollPoller, id="epoll"))


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


def test_whoever_waits_is_called_in_every_turn_until_there_is_nothing_left(
    poller: Poller, pair: tuple[socket.socket, socket.socket]
) -> None:
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


def test_what_is_waited_for_can_change(poller: Poller, pair: tuple[socket.socket, socket.socket]) -> None:
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


def test_a_peer_that_goes_away_is_noticed_while_waiting_to_write_or_to_read(
    poller: Poller, pair: tuple[socket.socket, socket.socket]
) -> None:
    one, other = pair
    calls = []
    poller.watch(one.fileno(), READ, lambda _bits: calls.append(1))
    other.close()
    poller.wait(None)
    assert calls == [1]


def test_one_that_was_forgotten_in_the_same_turn_is_not_called(poller: Poller) -> None:
    pairs = [socket.socketpair() for _ in range(2)]
    calls = []

    def first_come(mine: int, others: int, _bits: int) -> None:
        calls.append(mine)
        poller.forget(pairs[others][0].fileno())

    for mine, others in ((0, 1), (1, 0)):
        poller.watch(pairs[mine][0].fileno(), READ, functools.partial(first_come, mine, others))
        pairs[mine][1].send(b"x")
    poller.wait(None)
    assert len(calls) == 1
    for one, other in pairs:
        one.close()
        other.close()


def test_a_pipe_and_a_number_that_was_used_before_are_watched_like_any_other(poller: Poller) -> None:
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


class Epoll(Protocol):
    """As much of `select.epoll` as is needed to wait."""

    def poll(self, timeout: float | None = None) -> list[tuple[int, int]]: ...

    def close(self) -> None: ...


class Quiet:
    """An epoll on which nothing ever happens."""

    def __init__(self) -> None:
        self.waits: list[float | None] = []

    def poll(self, seconds: float | None) -> list[tuple[int, int]]:
        self.waits.append(seconds)
        return []


@on_linux
def test_where_little_comes_it_goes_to_sleep_without_looking_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    poller = best_poller()
    poller.close()
    quiet = Quiet()
    monkeypatch.setattr(poller, "_epoll", quiet)
    for _ in range(2000):
        poller.wait(9)
    assert quiet.waits.count(9) == 2000
    looked = [place for place, (wait, after) in enumerate(itertools.pairwise(quiet.waits)) if (wait, after) == (0, 9)]
    assert 2000 / (SLEEPS_BEFORE_SPIN + 1) <= len(looked) <= 2000 / (SLEEPS_BEFORE_SPIN + 1) + 7


class Asked:
    """An epoll of which is kept how long each look was to wait, and on which something may happen at one of them."""

    def __init__(self, real: Epoll, happens_at: int, happens: Callable[[], object]) -> None:
        self.real = real
        self.happens_at = happens_at
        self.happens = happens
        self.waits: list[float | None] = []

    def poll(self, seconds: float | None) -> list[tuple[int, int]]:
        self.waits.append(seconds)
        if len(self.waits) == self.happens_at:
            self.happens()
        return self.real.poll(seconds)

    def close(self) -> None:
        self.real.close()


def waits_of_two(
    pair: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch, happens_at: int
) -> list[float | None]:
    """How long a poller would have waited at each look, if a peer speaks at one of them and is heard in two turns."""
    one, other = pair
    calls = []
    poller = best_poller()
    poller.watch(one.fileno(), READ, lambda _bits: calls.append(1))
    asked = Asked(vars(poller)["_epoll"], happens_at, lambda: other.send(b"x"))
    monkeypatch.setattr(poller, "_epoll", asked)
    poller.wait(None)
    poller.wait(None)
    poller.close()
    assert calls == [1, 1]
    return asked.waits


@on_linux
def test_whoever_comes_while_it_looks_needs_not_wake_it(
    pair: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "perf_counter", lambda: 0.0)  # else a busy machine may take too long for the third look
    assert waits_of_two(pair, monkeypatch, 3) == [0, 0, 0, 0]


@on_linux
def test_where_others_want_the_processor_it_sleeps_to_be_next(
    pair: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    """To look is to have had its time: whoever comes then has to wait for the others to have had theirs."""
    clock = itertools.chain([0.0, 0.0], itertools.repeat(0.004))  # another process ran after the first look
    monkeypatch.setattr(time, "perf_counter", lambda: next(clock))
    assert waits_of_two(pair, monkeypatch, 2) == [0, 0, None]
