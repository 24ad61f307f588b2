"""Followers over restarts of the server: every event once, in order."""

from __future__ import annotations

import json
import signal
import threading
import time
from contextlib import contextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from observatory.client import following
from observatory.client.client import Client
from observatory.client.following import follow
from tests.helpers.deadline import until
from tests.helpers.observatory_server import stored

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.helpers.observatory_server import ObservatoryServer


class Follower:
    """Someone who follows, in a thread of its own: what it has got, and what it was told."""

    def __init__(self, server: ObservatoryServer, **parameters: str) -> None:
        self.ids: list[int] = []
        self.said: list[str] = []
        self._grown = threading.Condition()
        self._lines = follow(Client(server.path), {**parameters, "follow": "1"}, self.said.append)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        for line in self._lines:
            with self._grown:
                self.ids.append(json.loads(line)["_id"])
                self._grown.notify()

    def of_its_own(self, paused: list[tuple[int, float]]) -> list[float]:
        """The pauses of its own thread: those of other tests' may go on."""
        return [seconds for thread, seconds in paused if thread == self._thread.ident]

    def wait_for(self, number: int) -> list[int]:
        """Until it has got the event of that number: all that it has got."""
        with self._grown:
            assert self._grown.wait_for(lambda: number in self.ids, 30), (number, self.ids[-5:], self.said)
            return list(self.ids)


@contextmanager
def sending(server: ObservatoryServer) -> Iterator[None]:
    """Events all the while, whether somebody takes them or not."""
    stop = threading.Event()

    def send() -> None:
        while not stop.is_set():
            try:
                server.send()
            except OSError:
                stop.wait(0.005)

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_events_that_come_around_restarts_come_once_and_in_order(
    server: ObservatoryServer, number: signal.Signals
) -> None:
    server.send()
    follower = Follower(server)
    follower.wait_for(1)
    with sending(server):
        for _ in range(4):
            before = len(stored(server.database))
            follower.wait_for(before)
            server.end(number)
            server.start()
    server.send()
    last = stored(server.database)[-1]["_id"]
    assert follower.wait_for(last) == list(range(1, last + 1))
    assert len(follower.said) <= 4


def test_who_wants_only_what_comes_misses_nothing_of_a_restart(server: ObservatoryServer) -> None:
    for _ in range(5):
        server.send()
    follower = Follower(server, limit="0")
    while not follower.ids:  # when it has begun, only it knows
        server.send()
    first = follower.ids[0]
    assert first > 5
    server.restart()
    server.send()
    last = server.stored()[-1]["_id"]
    assert follower.wait_for(last) == list(range(first, last + 1))


def test_who_wants_the_newest_and_what_comes_gets_both_once(server: ObservatoryServer) -> None:
    for _ in range(5):
        server.send()
    follower = Follower(server, limit="2")
    assert follower.wait_for(5) == [4, 5]
    server.restart()
    server.send()
    assert follower.wait_for(6) == [4, 5, 6]


def test_filters_hold_after_a_restart(server: ObservatoryServer) -> None:
    server.send(event="Stop")
    follower = Follower(server, event="Stop")
    follower.wait_for(1)
    server.restart()
    server.send(event="Other")
    server.send(event="Stop")
    assert follower.wait_for(3) == [1, 3]


def test_of_a_database_made_anew_the_events_come_from_its_first(server: ObservatoryServer) -> None:
    for _ in range(3):
        server.send({"of": "the old"})
    follower = Follower(server)
    follower.wait_for(3)
    server.end()
    server.delete_database()
    server.start()
    for _ in range(4):
        server.send({"of": "the new"})
    assert follower.wait_for(4) == [1, 2, 3, 1, 2, 3, 4]


def test_one_sentence_is_said_however_often_it_is_tried_and_the_pauses_have_a_limit(
    server: ObservatoryServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    paused: list[tuple[int, float]] = []

    def sleep(seconds: float) -> None:
        paused.append((threading.get_ident(), seconds))
        time.sleep(0.001)

    monkeypatch.setattr(following, "time", SimpleNamespace(monotonic=time.monotonic, sleep=sleep))
    server.send()
    follower = Follower(server)
    follower.wait_for(1)
    server.end()
    until(lambda: len(follower.of_its_own(paused)) > 7, "it has tried some times")
    server.start()
    server.send()
    follower.wait_for(2)
    assert follower.said == [f"the server at {server.path} has ended; trying again until it can be reached"]
    assert follower.of_its_own(paused)[:8] == [0.1, 0.2, 0.4, 0.8, 1.6, 2.0, 2.0, 2.0]


def test_a_database_made_anew_is_known_however_many_events_come_while_it_is_looked_at(
    server: ObservatoryServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        server.send({"of": "the old"})
    client = Client(server.path)
    lines = follow(client, {"follow": "1"}, lambda _: None)
    assert [json.loads(next(lines))["of"] for _ in range(3)] == ["the old"] * 3
    server.end()
    server.delete_database()
    server.start()
    server.send({"of": "the new"})
    ask = client.lines

    def asked(query: Mapping[str, str]) -> Iterator[bytes]:
        if "follow" in query:
            return ask(query)
        found = list(ask(query))
        for _ in range(4):
            server.send({"of": "the new"})
        return iter(found)

    monkeypatch.setattr(client, "lines", asked)
    assert json.loads(next(lines))["_id"] == 1
