"""Reading, making and changing files: a kernel confirms each case, and contradicts each wrong oracle."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harness.oracle import predict, rules_of
from harness.trials.verdict import judge
from harness.world import Attempt, World, complete
from harness.world.standard import STANDARD_DIRECTORIES
from tests.helpers.operation_cases import CASES, PROTECTED, THROUGH_FUSE, Case
from tests.mutants.operations import WRONG_OF_OPERATIONS
from tests.platforms.kernels.expectations import version

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.engines.protocol import Observation, Place
    from harness.pytest_plugin.fixtures import Tally
    from tests.mutants.oracles import WrongOracle


def tried(place: Place, case: Case) -> list[Observation]:
    """What the kernel did, in a place that has what the case needs."""
    if case.flagged and not place.facts.flags:
        pytest.skip(
            "flags of inodes take CAP_LINUX_IMMUTABLE of the machine's own, and a tmpfs that has them (Linux 6.6)"
        )
    if version(place.facts.kernel) < case.since:
        pytest.skip("Linux {}.{} and later do so".format(*case.since))
    place.build(case.world)
    return place.attempt(case.world.attempts)


def confirm(place: Place, case: Case) -> None:
    """The oracle, the kernel and the case say the same."""
    rules = rules_of(place.facts)
    for step, decision, observation in zip(
        case.steps, predict(case.world, case.world.attempts, rules), tried(place, case), strict=True
    ):
        assert judge(step.attempt, decision, observation).differences == ()
        assert observation.seen == decision.seen
        if step.shows is not None and not (case.machine and place.facts.own_users):
            assert observation.seen == step.shows, step.attempt


@pytest.mark.parametrize("name", CASES)
def test_the_kernel_confirms_each_case(place: Place, tally: Tally, name: str) -> None:
    confirm(place, CASES[name])
    tally(cases=1, attempts=len(CASES[name].steps))


def test_the_kernel_confirms_what_is_made_and_changed_through_fuse(place: Place) -> None:
    if not place.facts.fuse:
        pytest.skip("a FUSE mount alone shows it: install bindfs, and see that there is a /dev/fuse")
    confirm(place, THROUGH_FUSE)


@pytest.mark.parametrize("path", STANDARD_DIRECTORIES)
def test_a_standard_directory_is_renamed_unless_a_container_has_it_from_its_image(place: Place, path: str) -> None:
    there_and_back = (
        Attempt("root", "rename", path, to=f"{path}.moved"),
        Attempt("root", "rename", f"{path}.moved", to=path),
    )
    world = complete(World("renamed", attempts=there_and_back))
    place.build(world)
    decisions = predict(world, world.attempts, rules_of(place.facts))
    verdicts = map(judge, world.attempts, decisions, place.attempt(world.attempts))
    assert [difference for verdict in verdicts for difference in verdict.differences] == []
    assert (decisions[0].outcome == "EXDEV") == (path in place.facts.staying)


@pytest.mark.parametrize("name", PROTECTED)
def test_the_kernel_confirms_its_settings(place: Place, name: str) -> None:
    settings: Mapping[str, int]
    settings, case = PROTECTED[name]
    (sysctl,) = settings.items()
    if place.facts.sysctls.get(sysctl[0]) != sysctl[1]:
        pytest.skip(f"this machine does not have {sysctl[0]} = {sysctl[1]}")
    confirm(place, case)


@pytest.fixture(scope="module")
def seen(place: Place) -> list[tuple[Case, list[Observation]]]:
    """What the kernel did in each case that the place can have."""
    possible = (case for case in CASES.values() if place.facts.flags or not case.flagged)
    return [(case, tried(place, case)) for case in possible if version(place.facts.kernel) >= case.since]


@pytest.mark.parametrize("wrong", WRONG_OF_OPERATIONS, ids=lambda wrong: wrong.name.replace(" ", "-"))
def test_the_kernel_contradicts_each_wrong_oracle(
    place: Place, seen: list[tuple[Case, list[Observation]]], wrong: WrongOracle
) -> None:
    if wrong.by_flags and not place.facts.flags:
        pytest.skip("no flags of inodes can be set in this place")
    rules = rules_of(place.facts)
    for case, observations in seen:
        decisions = wrong(case.world, case.world.attempts, rules)
        for step, decision, observation in zip(case.steps, decisions, observations, strict=True):
            if judge(step.attempt, decision, observation).differences:
                return
    pytest.fail(f"no case shows that {wrong.name}")
