"""Attempts of a request, brought to the children whose principals make them, and their outcomes with both sides."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

from harness.inside.agent import attempts
from harness.inside.agent.attempts import Trial
from harness.inside.agent.children import NOWHERE, Children, Standing
from harness.inside.agent.errors import RefusalError
from harness.inside.agent.refusals import TriedPath, outside
from harness.inside.agent.standing import below
from harness.inside.rows import EncodedAttempt, EncodedObservation

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.inside.agent.attempts import Outcome
    from harness.inside.agent.children import Child
    from harness.inside.agent.networks import Networks
    from harness.inside.agent.world import Builder
    from harness.inside.messages import AttemptRequest, EncodedCredentials

BATCH = 64
"""Attempts between two visits to the listeners: fewer than the smallest usual somaxconn, 128, lets wait."""
AHEAD = 8
"""Children that are started before it is their turn."""


class Rounds:
    """What makes the attempts in the world that `builder` has made, in its network namespaces."""

    def __init__(self, builder: Builder, networks: Networks, *, protected_symlinks: bool) -> None:
        self._builder = builder
        self.children = Children(
            lambda channel, cwd, root: attempts.serve(channel, cwd, root, protected_symlinks), networks
        )

    def make(self, request: AttemptRequest) -> list[EncodedObservation]:
        """Make attempts in order. Neighbours of one principal go to its child together. Raises RefusalError."""
        paths, principals = request["paths"], request["principals"]
        rows = list(map(EncodedAttempt._make, request["attempts"]))
        found = batches(rows)
        done: list[EncodedObservation] = []
        for number, (start, end) in enumerate(found):
            first = rows[start]
            where = Standing(first.root, first.cwd, first.network)
            if where == NOWHERE:
                for ahead, _ in found[number : number + AHEAD]:
                    row = rows[ahead]
                    if Standing(row.root, row.cwd, row.network) == NOWHERE:
                        self.children.child(principals[row.who])
            try:
                where = _entered(where)
            except _NoEntryError as refused:
                done.append(refused.observation)
                continue
            child = self.children.child(principals[first.who], where)
            batch: list[Trial] = [
                Trial(
                    row.operation,
                    paths[row.path],
                    None if row.to is None else paths[row.to],
                    row.mode,
                    row.type,
                    row.owner,
                    row.group,
                )
                for row in rows[start:end]
            ]
            try:
                child.wait_until_ready()
                done += self._make(child, where, batch)
            except RefusalError:
                self.children.forget(child)
                raise
        return done

    def _make(self, child: Child, where: Standing, batch: list[Trial]) -> list[EncodedObservation]:
        cwd, root = where.cwd or "/", where.root
        for trial in batch:
            path = os.path.join(cwd, trial.path)
            if trial.operation in ("bind", "mkdir") and not trial.path.startswith("@"):
                self._builder.expect_new(path, root)
            elif trial.operation == "create":
                self._builder.expect_file(path, root)
            elif trial.operation == "rename":
                self._builder.expect_new(os.path.join(cwd, trial.to or ""), root)
            elif trial.operation in ("chmod", "chown"):
                self._builder.expect_change(path, root)
        child.send(json.dumps(batch).encode() + b"\n")
        outcomes: list[Outcome] = json.loads(child.read_line())
        connected = [
            (number, peer)
            for number, (outcome, _, peer) in enumerate(outcomes)
            if outcome == "ok" and batch[number].operation == "connect"
        ]
        process = child.credentials() if connected else None
        met = self._met(child.pid, connected)
        if attempts.KEPT_OPEN:
            child.send(b"\n")
        return [
            EncodedObservation(
                outcome,
                at,
                met.get(number),
                process if number in met else None,
                told if batch[number].operation == "stat" else None,
            )
            for number, (outcome, at, told) in enumerate(outcomes)
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


class _NoEntryError(Exception):
    """Root itself can't stand there."""

    def __init__(self, observation: EncodedObservation) -> None:
        super().__init__(observation)
        self.observation = observation


def _entered(where: Standing) -> Standing:
    """The directories by their paths without symlinks, once root has entered them. Raises _NoEntryError."""
    root = where.root
    if root is not None:
        entered = TriedPath(root + "/", "/", follow=True)
        if entered.refusal:
            raise _NoEntryError(EncodedObservation(entered.refusal, entered.at, None, None, None))
        root = entered.at
    cwd = where.cwd
    if cwd is not None:
        with below(root):
            entered = TriedPath(cwd + "/", "/", follow=True)
        if entered.refusal:
            raise _NoEntryError(EncodedObservation(entered.refusal, outside(entered.at, root), None, None, None))
        cwd = entered.at
    return Standing(root, cwd, where.network)


def batches(rows: Sequence[EncodedAttempt]) -> list[tuple[int, int]]:
    """Neighbouring attempts of one principal, as ranges of at most BATCH; those that stand somewhere stand alone."""
    found: list[tuple[int, int]] = []
    start = 0
    for number, row in enumerate(rows):
        first = rows[start]
        places = [(each.who, each.cwd, each.root, each.network) for each in (first, row)]
        if number and (number - start >= BATCH or row.cwd or row.root or places[0] != places[1]):
            found.append((start, number))
            start = number
    return [*found, (start, len(rows))] if rows else []
