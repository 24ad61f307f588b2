"""The oracle and a real kernel, compared in random worlds; oracles with one rule wrong, found out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harness.oracle import predict, rules_of
from harness.report.text import visible
from harness.trials.random_sweep import draw, random_sweep, smallest
from harness.trials.verdict import judge
from harness.world import Attempt, User, World, complete, dumps
from harness.world.standard import STANDARD_DIRECTORIES, STANDARD_LINKS
from tests.helpers.remembered import Remembered
from tests.mutants.oracles import WRONG, WrongOracle

if TYPE_CHECKING:
    from harness.engines.protocol import Observation, Place
    from harness.oracle import Decision
    from harness.pytest_plugin.fixtures import Tally
    from harness.trials.verdict import Verdict

AGREEING = 150
"""Worlds that are tried to see no disagreement."""
ENOUGH = 8_000
"""Worlds within which a wrong rule must show."""


def test_oracle_and_kernel_agree_in_random_worlds(place: Place, tally: Tally) -> None:
    worlds = attempts = 0
    for progress in random_sweep(place, AGREEING, first_seed=1):
        if progress.found is not None:
            said = "\n".join(text for verdict in progress.found.verdicts for text in verdict.differences)
            pytest.fail(f"{visible(said)}\n\n{dumps(progress.found.world)}")
        worlds, attempts = progress.worlds, progress.attempts
    assert worlds == AGREEING
    tally(cases=worlds, attempts=attempts)


def test_every_place_has_the_standard_directories(place: Place) -> None:
    paths = [*STANDARD_DIRECTORIES, *STANDARD_LINKS]
    attempts = tuple(
        Attempt(who, operation, f"{path}/harness.sock")
        for path in paths
        for who in ("root", "dan")
        for operation in ("stat", "bind", "unlink")
    )
    world = complete(World("standard", users=(User("dan", 4242, 4242),), attempts=attempts))
    place.build(world)
    decisions = predict(world, attempts, rules_of(place.facts))
    verdicts = map(judge, attempts, decisions, place.attempt(attempts))
    assert not [text for verdict in verdicts for text in verdict.differences]


class Trials:
    """Random worlds and what a place's kernel did in them."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.rules = rules_of(place.facts)
        self.known = Remembered(map(self._tried, draw(ENOUGH, fuse=place.facts.fuse)))

    def _tried(self, world: World) -> tuple[World, list[Observation]]:
        self.place.build(world)
        return world, self.place.attempt(world.attempts)

    def differing(self, world: World, decisions: list[Decision]) -> tuple[Verdict, ...]:
        """The verdicts against an oracle, in a world that is tried now."""
        return _disagreeing(world, decisions, self._tried(world)[1])


def _disagreeing(world: World, decisions: list[Decision], seen: list[Observation]) -> tuple[Verdict, ...]:
    return tuple(verdict for verdict in map(judge, world.attempts, decisions, seen) if not verdict.agree)


@pytest.fixture(scope="module")
def trials(place: Place) -> Trials:
    return Trials(place)


@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: wrong.name.replace(" ", "-"))
def test_the_kernel_contradicts_an_oracle_with_one_rule_wrong_in_a_world_of_a_few_nodes(
    trials: Trials, wrong: WrongOracle
) -> None:
    if wrong.by_fuse and not trials.place.facts.fuse:
        pytest.skip("a FUSE mount alone shows it: install bindfs, and see that there is a /dev/fuse")
    for world, seen in trials.known:
        if _disagreeing(world, wrong(world, world.attempts, trials.rules), seen):
            break
    else:
        pytest.fail(f"{ENOUGH} worlds did not show that {wrong.name}")
    least = smallest(world, lambda it: trials.differing(it, wrong(it, it.attempts, trials.rules)))
    assert len(least.nodes) <= 4
    assert not trials.differing(least, predict(least, least.attempts, trials.rules))
