"""Whatever peers do, and in whichever order: after each turn everything that a connection is to hold holds.

That each move was one of the table's is seen to by the server itself (`Connections.move`), and that it leads where the
table says by `DrivenServer`.
"""

from __future__ import annotations

import itertools
import json
import socket
from contextlib import suppress
from typing import TYPE_CHECKING

from hypothesis import event, given, settings
from hypothesis import strategies as st

from tests.helpers.driven_server import DrivenServer, driven_server
from tests.helpers.unix_http import post

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Action = Callable[[DrivenServer], object]


def get(target: str, version: str = "1.1", fields: str = "") -> bytes:
    return f"GET {target} HTTP/{version}\r\nHost: x\r\n{fields}\r\n".encode()


def hook(size: int, fields: str = "") -> bytes:
    return f"POST /hook?event=Stop HTTP/1.1\r\nHost: x\r\n{fields}Content-Length: {size}\r\n\r\n".encode()


LARGE = 5000
"""Bytes, of which the kernel keeps less for a peer here."""
WHOLE = st.sampled_from(
    [
        post(),
        post(close=True),
        post() * 5,
        post(b'{"x":"%b"}' % (b"x" * LARGE)),
        get("/health"),
        get("/health") * 5,
        get("/whoami", fields="Connection: close\r\n"),
        get("/nowhere"),
        get("/hook"),
        get("/events"),
        get("/events", version="1.0"),
        get("/events", version="1.0", fields="Connection: keep-alive\r\n"),
        get("/events?limit=x"),
        get("/events?follow=1"),
        get("/events?follow=1&after=0&limit=2"),
        get("/events?follow=1&limit=1"),
        hook(17_000_000),
        b"nonsense\r\n\r\n",
    ]
)
PARTS = st.sampled_from(
    [
        post()[:40],
        post()[40:],
        get("/health")[:10],
        hook(LARGE),
        hook(LARGE, "Expect: 100-continue\r\n"),
        hook(LARGE) + b"x" * (LARGE // 2),
        b"x" * (LARGE // 2),
        b"x" * 40_000,
        b"POST /hook HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n",
        b"",
    ]
)
SAID = st.tuples(WHOLE, st.sampled_from([1, 1, 1, 2, 20]), PARTS).map(lambda said: said[0] * said[1] + said[2])
USERS = st.sampled_from([0, 0, 1000, 1001, None])
PEER = st.integers(0, 5)


def of(number: int, act: Callable[[DrivenServer, socket.socket], object]) -> Action:
    """Let one of the newest peers do something, if it hasn't gone."""

    def action(it: DrivenServer) -> None:
        newest = [peer for peer in it.peers[-6:] if peer.fileno() >= 0]
        if newest:
            act(it, newest[number % len(newest)])

    return action


def shut(_: DrivenServer, peer: socket.socket) -> None:
    with suppress(OSError):
        peer.shutdown(socket.SHUT_WR)


def close(_: DrivenServer, peer: socket.socket) -> None:
    peer.close()


def sleep(seconds: float) -> Action:
    def action(it: DrivenServer) -> None:
        it.now += seconds

    return action


def fill(it: DrivenServer) -> None:
    it.disk_full = True


def empty(it: DrivenServer) -> None:
    it.disk_full = False


def say(number: int, data: bytes) -> Action:
    return of(number, lambda it, peer: it.say(peer, data))


def take(number: int, size: int) -> Action:
    return of(number, lambda it, peer: it.take(peer, size))


def connect(data: bytes, uid: int | None) -> Action:
    return lambda it: it.connect(data, uid)


ACTIONS = st.one_of(
    st.builds(connect, st.one_of(WHOLE, SAID), USERS),
    st.builds(say, PEER, st.one_of(WHOLE, PARTS, SAID)),
    st.builds(take, PEER, st.sampled_from([100, 1 << 20, 1 << 20])),
    st.builds(of, PEER, st.sampled_from([shut, DrivenServer.reset, close])),
    st.sampled_from([fill, empty, sleep(0.1), sleep(3.0), sleep(11.0)]),
)
TURNS = st.integers(0, 3)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(ACTIONS, TURNS), min_size=10, max_size=50), st.integers(2, 16))
def test_after_every_turn_all_holds_that_is_to_hold(steps: list[tuple[Action, int]], seats: int) -> None:
    with driven_server(seats) as it:
        for action, turns in steps:
            action(it)
            it.turn(turns)
        it.disk_full = False
        it.finish()
        assert (it.connections.seats.left, it.connections.memory.left) == (seats, it.connections.memory.capacity)
        numbers = [each.id for each in it.published]
        assert numbers == list(range(1, len(numbers) + 1))
        for state, occasion in it.moves:
            event(f"{state.name} {occasion.name}")


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 4), st.booleans(), st.integers(0, 200)), min_size=1, max_size=20))
def test_each_event_is_stored_once_and_in_its_peer_s_order_however_it_comes(
    steps: list[tuple[int, bool, int]],
) -> None:
    """Peeked at or read, in one piece or two, alone or with others on its connection."""
    counter = itertools.count()

    def said(peer: int) -> Iterator[tuple[int, bytes]]:
        while True:
            number = next(counter)
            yield number, post(json.dumps({"peer": peer, "n": number}).encode())

    with driven_server() as it:
        peers: dict[int, socket.socket] = {}
        expected: dict[int, list[int]] = {}
        for chosen, anew, cut in steps:
            number, data = next(said(chosen))
            expected.setdefault(chosen, []).append(number)
            if anew and chosen in peers:
                peers.pop(chosen).close()
            if chosen in peers:
                it.say(peers[chosen], data[:cut])
            else:
                peers[chosen] = it.connect(data[:cut])
            if cut < len(data):
                it.turn(2)
                it.say(peers[chosen], data[cut:])
            it.turn(2)
            assert it.take(peers[chosen]).startswith(b"HTTP/1.1 200 ")
        found: dict[int, list[int]] = {}
        for each in it.published:
            line = json.loads(each.line)
            found.setdefault(line["peer"], []).append(line["n"])
        assert found == expected
        it.finish()
