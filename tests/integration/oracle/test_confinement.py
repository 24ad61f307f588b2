"""Users whom a filter of system calls or a Landlock domain holds: each layer alone, and on top of another refusal."""

from __future__ import annotations

import dataclasses
import random
from typing import TYPE_CHECKING, get_args

import pytest

from harness.engines.protocol import PlaceError
from harness.oracle import predict, rules_of
from harness.trials.random_sweep import draw
from harness.trials.verdict import judge
from harness.world import Confinement, FilteredCall, LandlockRight, dumps
from harness.world.validation import REFUSALS
from tests.helpers.confined_worlds import ABSTRACT, LANDLOCK, SECCOMP, agree, asks, confined
from tests.helpers.policy_worlds import policed
from tests.mutants.oracles import WRONG_OF_CONFINEMENT, WrongOracle

if TYPE_CHECKING:
    from harness.engines.protocol import Place
    from harness.pytest_plugin.fixtures import Tally

WORLDS = 100
CALLS: list[FilteredCall] = [*get_args(FilteredCall)]
RIGHTS: list[LandlockRight] = ["abstract", "bind"]


@pytest.mark.parametrize("name", SECCOMP)
def test_a_filter_of_calls(place: Place, name: str) -> None:
    calls, attempt, layer = SECCOMP[name]
    agree(place, confined(Confinement(tuple(sorted(calls.items()))), attempt), layer)


@pytest.fixture
def landlock(place: Place) -> Place:
    """The place, if its kernel has Landlock's ABI 6."""
    world = confined(Confinement(landlock=ABSTRACT), asks("connect", "@nobody", "ECONNREFUSED"))
    place.build(world)
    try:
        place.attempt(world.attempts)
    except PlaceError as error:
        pytest.skip(f"{error}")
    return place


@pytest.mark.parametrize("name", LANDLOCK)
def test_a_domain(landlock: Place, name: str) -> None:
    rights, attempt, layer = LANDLOCK[name]
    agree(landlock, confined(Confinement(landlock=rights), attempt), layer)


@pytest.mark.parametrize("wrong", WRONG_OF_CONFINEMENT, ids=lambda wrong: wrong.name.replace(" ", "-"))
def test_a_world_finds_each_wrong_oracle(landlock: Place, wrong: WrongOracle) -> None:
    rules = rules_of(landlock.facts)
    held = [confined(Confinement(tuple(sorted(calls.items()))), attempt) for calls, attempt, _ in SECCOMP.values()]
    held += [confined(Confinement(landlock=rights), attempt) for rights, attempt, _ in LANDLOCK.values()]
    for world in held:
        landlock.build(world)
        observations = landlock.attempt(world.attempts)
        if judge(world.attempts[0], wrong(world, world.attempts, rules)[0], observations[0]).differences:
            return
    pytest.fail(f"no world shows that {wrong.name}")


def held_by_chance(chance: random.Random) -> Confinement:
    calls: list[FilteredCall] = chance.sample(CALLS, chance.choice([0, 0, 1, 2]))
    rights: list[LandlockRight] = chance.sample(RIGHTS, chance.choice([0, 1, 2]))
    return Confinement(tuple(sorted((call, chance.choice(sorted(REFUSALS))) for call in calls)), frozenset(rights))


def test_random_worlds_whose_users_are_held(landlock: Place, tally: Tally) -> None:
    chance = random.Random(21)
    attempts = 0
    for drawn in draw(WORLDS, 21):
        users = tuple(dataclasses.replace(user, confined=held_by_chance(chance)) for user in drawn.users)
        world = dataclasses.replace(drawn, users=users)
        landlock.build(world)
        decisions = predict(world, world.attempts, rules_of(landlock.facts))
        for verdict in map(judge, world.attempts, decisions, landlock.attempt(world.attempts)):
            assert verdict.differences == (), dumps(world)
            attempts += 1
    tally(cases=WORLDS, attempts=attempts)


def test_a_world_with_types_is_not_made_where_no_policy_of_its_own_can_be(place: Place) -> None:
    for world in (policed([Confinement(selinux=())]), policed([Confinement()])):
        with pytest.raises(PlaceError, match="no world with SELinux can be made in this place"):
            place.build(world)
