"""Attempts of a request, brought to the children whose principals make them, and their outcomes with both sides."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

from harness.inside.agent import attempts
from harness.inside.agent.children import Children
from harness.inside.agent.errors import RefusalError
from harness.inside.agent.refusals import TriedPath
from harness.inside.rows import EncodedAttempt, EncodedObservation

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.inside.agent.attempts import Outcome, Trial
    from harness.inside.agent.children import Child
    from harness.inside.agent.world import Builder
    from harness.inside.messages import AttemptRequest, EncodedCredentials

BATCH = 64
"""Attempts between two visits to the listeners: fewer than the smallest usual somaxconn, 128, lets wait."""
AHEAD = 8
"""Children that are started before it is their turn."""


class Rounds:
    """What makes the attempts in the world that `builder` has made."""

    def __init__(self, builder: Builder, *, protected_symlinks: bool) -> None:
        self._builder = builder
        self.children = Children(lambda channel, cwd: attempts.serve(channel, cwd, protected_symlinks))

    def make(self, request: AttemptRequest) -> list[EncodedObservation]:
        """Make attempts in order. Neighbours of one principal go to its child together. Raises RefusalError."""
        paths, principals = request["paths"], request["principals"]
        rows = list(map(EncodedAttempt._make, request["attempts"]))
        found = batches(rows)
        done: list[EncodedObservation] = []
        for number, (start, end) in enumerate(found):
            first = rows[start]
            if first.cwd is None:
                for ahead, _ in found[number : number + AHEAD]:
                    if rows[ahead].cwd is None:
                        self.children.child(principals[rows[ahead].who])
                child, directory = self.children.child(principals[first.who]), "/"
            else:
                entered = TriedPath(first.cwd + "/", "/", follow=True)  # by root, who enters it beforehand
                if entered.refusal:
                    done.append(EncodedObservation(entered.refusal, entered.at, None, None))
                    continue
                child, directory = self.children.child(principals[first.who], entered.at), entered.at
            batch: list[Trial] = [
                (operation, paths[path], None if to is None else paths[to], mode, kind)
                for _, operation, _, path, to, mode, kind in rows[start:end]
            ]
            try:
                child.wait_until_ready()
                done += self._make(child, directory, batch)
            except RefusalError:
                self.children.forget(child)
                raise
        return done

    def _make(self, child: Child, cwd: str, batch: list[Trial]) -> list[EncodedObservation]:
        for operation, path, to, _, _ in batch:
            if operation == "bind" and not path.startswith("@"):
                self._builder.expect_new(os.path.join(cwd, path))
            elif operation == "rename":
                self._builder.expect_new(os.path.join(cwd, to or ""))
            elif operation == "chmod":
                self._builder.expect_change(os.path.join(cwd, path))
        child.send(json.dumps(batch).encode() + b"\n")
        outcomes: list[Outcome] = json.loads(child.read_line())
        connected = [
            (number, peer)
            for number, (outcome, _, peer) in enumerate(outcomes)
            if outcome == "ok" and batch[number][0] == "connect"
        ]
        process = child.credentials() if connected else None
        met = self._met(child.pid, connected)
        if attempts.KEPT_OPEN:
            child.send(b"\n")
        return [
            EncodedObservation(outcome, at, met.get(number), process if number in met else None)
            for number, (outcome, at, _) in enumerate(outcomes)
        ]

    def _met(self, pid: int, peers: list[tuple[int, str | None]]) -> dict[int, EncodedCredentials | None]:
        """The credentials that a listener read of each connection: they queue in the order of the attempts."""
        found: dict[int, EncodedCredentials | None] = dict.fromkeys(number for number, _ in peers)
        for peer in {peer for _, peer in peers if peer is not None}:
            numbers = [number for number, its in peers if its == peer]
            address = bytes.fromhex(peer)
            met = [
                credentials for each in self._builder.sockets if each.address == address for credentials in each.drain()
            ]
            theirs = [credentials for credentials in met if credentials["pid"] in (pid, None)]
            if len(theirs) == len(numbers):  # else a server with the same address took some of them
                found.update(zip(numbers, theirs))
        return found


def batches(rows: Sequence[EncodedAttempt]) -> list[tuple[int, int]]:
    """Neighbouring attempts of one principal, as ranges of at most BATCH; those in a directory stand alone."""
    found: list[tuple[int, int]] = []
    start = 0
    for number, row in enumerate(rows):
        first = rows[start]
        if number and (number - start >= BATCH or row.cwd is not None or (first.who, first.cwd) != (row.who, row.cwd)):
            found.append((start, number))
            start = number
    return [*found, (start, len(rows))] if rows else []
