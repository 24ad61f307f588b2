"""Killed at any moment under load: whatever was acknowledged is there, once, and the next start needs no hand."""

from __future__ import annotations

import random
import statistics
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from observatory.store.checkpoints import LONGEST
from tests.helpers.observatory_server import ObservatoryServer, start, stored

CLIENTS = 8


class Load:
    """Clients that send numbered events until the server is gone, and remember what was acknowledged."""

    def __init__(self, server: ObservatoryServer, round_: int) -> None:
        self._server = server
        self._round = round_
        self.acknowledged: list[str] = []
        self._threads = [threading.Thread(target=self._send, args=(client,)) for client in range(CLIENTS)]
        for thread in self._threads:
            thread.start()

    def _send(self, client: int) -> None:
        number = 0
        while True:
            name = f"{self._round}-{client}-{number}"
            body = b'{"name":"%b","pad":"%b"}' % (name.encode(), b"x" * random.choice([0, 100, 5000, 60_000]))
            try:
                status = self._server.send(body)
            except (OSError, EOFError, ValueError):
                return  # the server was killed
            if status == 200:
                self.acknowledged.append(name)
            number += 1

    def join(self) -> None:
        for thread in self._threads:
            thread.join()


@pytest.mark.timeout(3600)
def test_every_event_that_was_acknowledged_is_in_the_database_once(directory: Path, full: bool) -> None:
    """200 moments if `OBSERVATORY_FULL=1`, else 12: one database lives through all of them."""
    rounds = 200 if full else 12
    acknowledged: list[str] = []
    starts, logs = [], []
    database = ""
    for round_ in range(rounds):
        begun = time.monotonic()
        server = start(directory)
        starts.append(time.monotonic() - begun)
        load = Load(server, round_)
        time.sleep(random.uniform(0.01, 0.5))  # not a handshake: the moment is to be any
        server.kill()
        load.join()
        database = server.database
        logs.append(Path(f"{database}-wal").stat().st_size)
        acknowledged += load.acknowledged
        assert "Traceback" not in server.log_text()
    first = start(directory, name="fresh")
    begun = time.monotonic()
    start(directory, name="fresher").end()
    fresh = time.monotonic() - begun
    first.end()

    events = stored(database)
    times = Counter(event["name"] for event in events)
    print(f"{rounds} kills, {len(acknowledged)} acknowledged, {len(events)} stored")
    print(f"a log of {max(logs) / 1e6:.0f} MB at most")
    median, most = statistics.median(starts), max(starts)
    print(f"a start after a kill: median {median:.2f} s, at most {most:.2f} s; fresh {fresh:.2f} s")
    assert len(acknowledged) > rounds
    assert [name for name in acknowledged if times[name] != 1] == []
    assert [name for name, count in times.items() if count > 1] == []
    assert [event["_id"] for event in events] == list(range(1, len(events) + 1))
    # What a start after a kill has to read, and takes longer for than one that finds nothing, does not grow for ever.
    assert max(logs) < 2 * LONGEST


def test_a_reader_of_the_database_sees_each_event_as_soon_as_it_was_acknowledged(directory: Path) -> None:
    server = start(directory)
    for number in range(10):
        assert server.send({"n": number}) == 200
        server.kill()
        assert [event["n"] for event in server.stored()] == list(range(number + 1))
        server = start(directory)
    server.end()


def test_what_was_written_but_not_acknowledged_may_be_there_and_nothing_else(directory: Path) -> None:
    """An answer that was lost on the way is not an event that was lost: at most the ones under way are more."""
    server = start(directory)
    load = Load(server, 0)
    time.sleep(0.3)
    server.kill()
    load.join()
    more = {event["name"] for event in server.stored()} - set(load.acknowledged)
    assert len(more) <= CLIENTS
