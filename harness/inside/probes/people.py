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
from typing import TYPE_CHECKING

from harness.inside.dialects import ask_on
from harness.inside.dialects.answer import Claims
from harness.inside.probes.endpoint import connect, name
from harness.inside.probes.person import act_as, become, myself

if TYPE_CHECKING:
    import socket
    from typing import IO, Any


def main(
    endpoint: str,
    speaks: str,
    people: list[dict[str, Any]],
    each: int,
    seed: int,
    seconds: float,
    stopped: int | None = None,
) -> None:
    """Print one JSON line for each connection: `label, token, process, kind, text, seen`."""
    if stopped is not None:
        os.kill(stopped, signal.SIGSTOP)
    started = [_start(endpoint, speaks, person, each, seconds) for person in people]
    connected = [json.loads(answers.readline()) for _, answers in started]
    if stopped is not None:
        os.kill(stopped, signal.SIGCONT)
    turns = [(which, turn) for which, made in enumerate(connected) for turn in range(len(made["kinds"]))]
    random.Random(seed).shuffle(turns)  # noqa: S311 - an order, not a secret
    for which, turn in turns:
        orders, _ = started[which]
        orders.write(f"{turn}\n")
        orders.flush()
    for which, _ in turns:
        said = json.loads(started[which][1].readline())
        said["label"] = people[which]["label"]
        said["process"] = connected[which]["process"]
        print(json.dumps(said))
    for orders, _ in started:
        orders.close()
    for _ in started:
        os.wait()


def _start(endpoint: str, speaks: str, person: dict[str, Any], each: int, seconds: float) -> tuple[IO[str], IO[str]]:
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
            _live(endpoint, speaks, person, each, seconds, orders, answers)
        status = 0
    finally:
        os._exit(status)


def _live(
    endpoint: str,
    speaks: str,
    person: dict[str, Any],
    each: int,
    seconds: float,
    orders: IO[str],
    answers: IO[str],
) -> None:
    later = person.get("later")
    (act_as if later else become)(person)
    connections: list[socket.socket | None] = []
    kinds = []
    for _ in range(each):
        try:
            connections.append(connect(endpoint, seconds))
            kinds.append("ok")
        except OSError as error:
            connections.append(None)
            kinds.append(name(error))
    process = myself()
    if later:
        act_as(None)
        become(later)
    print(json.dumps({"process": process, "kinds": kinds}), file=answers, flush=True)
    claims = Claims({}, {}, "", process["user"])
    for order in orders:
        turn = int(order)
        token = f"{person['label']}/{turn}"
        connection = connections[turn]
        said: dict[str, Any] = {"token": token, "kind": kinds[turn], "text": "", "seen": None}
        if connection is not None:
            answer = ask_on(connection, speaks, token, claims)
            said.update(kind=answer.kind, text=answer.text, seen=answer.seen)
        print(json.dumps(said), file=answers, flush=True)
