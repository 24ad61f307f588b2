"""Is the search worth anything? It must reach every rule, and find every oracle that has one of them wrong."""

from __future__ import annotations

import os
import subprocess
import sys
from itertools import islice
from typing import TYPE_CHECKING

import pytest

from harness.engines.protocol import Observation
from harness.oracle import linux, predict
from harness.trials.random_sweep import draw, search
from harness.trials.verdict import judge
from tests.helpers.remembered import Remembered
from tests.mutants.oracles import WRONG, WrongOracle

if TYPE_CHECKING:
    from harness.oracle import Decision
    from harness.trials.verdict import Verdict
    from harness.world import World

COUNT = 3_000
"""Worlds that are drawn at most, each when it is asked for: what is rarest shows in ten of them."""
RULES = linux({"fs.protected_regular": 1, "fs.protected_fifos": 2})


@pytest.fixture(scope="module")
def drawn() -> Remembered[World]:
    return Remembered(draw(COUNT, flags=True))


@pytest.fixture(scope="module")
def drawn_with_fuse() -> Remembered[World]:
    return Remembered(draw(COUNT, fuse=True))


def test_the_same_seed_draws_the_same_worlds_and_another_one_others() -> None:
    assert list(draw(20, 1)) == list(draw(20, 1))
    assert list(draw(20, 1)) != list(draw(20, 2))


def test_another_interpreter_draws_the_same_worlds() -> None:
    script = (
        "from harness.trials.random_sweep import draw; from harness.world import dumps\n"
        "print(*map(dumps, [*draw(20, 1, fuse=True), *draw(20, 1, flags=True)]))"
    )
    said = [
        subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "PYTHONHASHSEED": number},
            capture_output=True,
            check=True,
        ).stdout
        for number in ("1", "2")
    ]
    assert said[0] == said[1] != b""


REACHED = {
    "connect": "ok EACCES ECONNREFUSED EINVAL ELOOP ENOENT ENOTDIR EPROTOTYPE",
    "bind": "ok EACCES EADDRINUSE EINVAL ELOOP ENOENT ENOTDIR EROFS",
    "unlink": "ok EACCES EISDIR ELOOP ENAMETOOLONG ENOENT ENOTDIR EPERM EROFS",
    "rename": "ok EACCES EBUSY EINVAL EISDIR ELOOP ENAMETOOLONG ENOENT ENOTDIR ENOTEMPTY EPERM EROFS EXDEV",
    "stat": "ok EACCES ELOOP ENAMETOOLONG ENOENT ENOTDIR",
    "readlink": "ok EACCES EINVAL ELOOP ENAMETOOLONG ENOENT ENOTDIR",
    "chmod": "ok EACCES ELOOP ENAMETOOLONG ENOENT ENOTDIR EPERM EROFS",
    "chown": "ok EACCES ELOOP ENAMETOOLONG ENOENT ENOTDIR EPERM EROFS",
    "read": "ok EACCES EISDIR ELOOP ENAMETOOLONG ENOENT ENOTDIR ENXIO",
    "write": "ok EACCES EISDIR ELOOP ENAMETOOLONG ENOENT ENOTDIR ENXIO EPERM EROFS",
    "execute": "ok EACCES ELOOP ENAMETOOLONG ENOENT ENOTDIR",
    "list": "ok EACCES ELOOP ENAMETOOLONG ENOENT ENOTDIR",
    "create": "ok EACCES EISDIR ELOOP ENAMETOOLONG ENOENT ENOTDIR ENXIO EPERM EROFS",
    "mkdir": "ok EACCES EEXIST ELOOP ENAMETOOLONG ENOENT ENOTDIR EPERM EROFS",
    "truncate": "ok EACCES EINVAL EISDIR ELOOP ENAMETOOLONG ENOENT ENOTDIR EPERM EROFS",
}


def test_the_worlds_reach_every_outcome_of_every_operation(drawn: Remembered[World]) -> None:
    missing = {(operation, outcome) for operation, outcomes in REACHED.items() for outcome in outcomes.split()}
    for world in drawn:
        if not missing:
            return
        for attempt, decision in zip(world.attempts, predict(world, world.attempts, RULES), strict=True):
            missing.discard((attempt.operation, decision.outcome))
    assert missing == set()


def test_an_oracle_that_is_right_is_found_right(drawn: Remembered[World]) -> None:
    some = list(islice(drawn, 200))
    progress = list(search(lambda world: held_against_itself(world, predict(world, world.attempts, RULES)), some))
    assert progress[-1].worlds == 200
    assert progress[-1].attempts == sum(len(world.attempts) for world in some)
    assert not [found for found in progress if found.found]


@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: wrong.name.replace(" ", "-"))
def test_an_oracle_with_one_rule_wrong_is_found_and_shrunk_to_a_few_nodes(
    wrong: WrongOracle, request: pytest.FixtureRequest
) -> None:
    drawn: Remembered[World] = request.getfixturevalue("drawn_with_fuse" if wrong.by_fuse else "drawn")

    def differing(world: World) -> tuple[Verdict, ...]:
        return held_against_itself(world, wrong(world, world.attempts, RULES))

    found = next((progress.found for progress in search(differing, drawn) if progress.found), None)
    assert found is not None, f"{COUNT} worlds did not show that {wrong.name}"
    assert len(found.world.nodes) <= 4
    assert found.verdicts


def held_against_itself(world: World, decisions: list[Decision]) -> tuple[Verdict, ...]:
    """The verdicts that differ, with the right oracle in the kernel's place."""
    right = predict(world, world.attempts, RULES)
    observations = [Observation(decision.outcome, seen=decision.seen) for decision in right]
    verdicts = map(judge, world.attempts, decisions, observations)
    return tuple(verdict for verdict in verdicts if not verdict.agree)
