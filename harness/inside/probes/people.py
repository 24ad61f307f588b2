"""Many people connect, all before anybody speaks; then they speak in a shuffled order. Runs as root.

Each person is a process of its own; each holds some connections. Printed: for each request who really made it and
what was answered. Whoever has a `later` becomes that person between connecting and speaking; so that a server which
looks too late sees that one for sure, the process `stopped` stands still meanwhile.
"""

from __future__ import annotations

import json
import os
import random
import signal
import time
from typing import TYPE_CHECKING

from harness.inside import errnos
from harness.inside.credentials import named
from harness.inside.dialects import ask_on
from harness.inside.dialects.answer import Claims
from harness.inside.principal import act_as, become
from harness.inside.probes.endpoint import connect

if TYPE_CHECKING:
    import socket
    from typing import IO

    from harness.inside.messages import EncodedPerson
    from harness.inside.reports import PersonReport

LEAST = 0.02
"""Seconds that one who comes last gets."""


def main(
    endpoint: str,
    speaks: str,
    people: list[EncodedPerson],
    each: int,
    seed: int,
    seconds: float,
    longest: float,
    stopped: int | None = None,
) -> None:
    """Print a `PersonReport` for each connection. Each gets so many seconds, and all together the `longest`.

    A server that serves one after the other may keep everyone waiting for one who waits for their own turn.
    """
    if stopped is not None:
        os.kill(stopped, signal.SIGSTOP)
    limits = (seconds, time.monotonic() + longest)
    started = [_start(endpoint, speaks, person, each, limits) for person in people]
    connected = [int(answers.readline()) for _, answers in started]
    if stopped is not None:
        os.kill(stopped, signal.SIGCONT)
    turns = [(which, turn) for which, made in enumerate(connected) for turn in range(made)]
    random.Random(seed).shuffle(turns)  # noqa: S311 - an order, not a secret
    for which, turn in turns:
        orders, _ = started[which]
        orders.write(f"{turn}\n")
        orders.flush()
    for which, _ in turns:
        _, answers = started[which]
        print(answers.readline(), end="")
    for orders, _ in started:
        orders.close()
    for _ in started:
        os.wait()


def _start(
    endpoint: str, speaks: str, person: EncodedPerson, each: int, limits: tuple[float, float]
) -> tuple[IO[str], IO[str]]:
    """One person as a process: what it is told, and what it says."""
    told, tell = os.pipe()
    hear, say = os.pipe()
    if os.fork():
        os.close(told)
        os.close(say)
        return os.fdopen(tell, "w"), os.fdopen(hear)
    os.close(tell)
    os.close(hear)
    status = 1
    try:
        with os.fdopen(say, "w") as answers, os.fdopen(told) as orders:
            _live(endpoint, speaks, person, each, limits, orders, answers)
        status = 0
    finally:
        os._exit(status)


def _left(seconds: float, until: float) -> float:
    return max(LEAST, min(seconds, until - time.monotonic()))


def _live(
    endpoint: str,
    speaks: str,
    person: EncodedPerson,
    each: int,
    limits: tuple[float, float],
    orders: IO[str],
    answers: IO[str],
) -> None:
    seconds, until = limits
    later = person.get("later")
    (act_as if later else become)(person)
    connections: list[socket.socket | None] = []
    kinds = []
    for _ in range(each):
        try:
            connections.append(connect(endpoint, _left(seconds, until)))
            kinds.append("ok")
        except OSError as error:
            connections.append(None)
            kinds.append(errnos.name(error))
    process = named()
    if later:
        act_as(None)
        become(later)
    print(len(connections), file=answers, flush=True)
    claims = Claims({}, {}, "", process["user"])
    for order in orders:
        turn = int(order)
        report: PersonReport = {
            "label": person["label"],
            "token": f"{person['label']}/{turn}",
            "process": process,
            "kind": kinds[turn],
            "text": "",
            "seen": None,
        }
        connection = connections[turn]
        if connection is not None:
            connection.settimeout(_left(seconds, until))
            report["kind"], report["text"], report["seen"] = ask_on(connection, speaks, report["token"], claims)
        print(json.dumps(report), file=answers, flush=True)
