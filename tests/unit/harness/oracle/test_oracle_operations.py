"""Reading, making and changing files and directories, as the oracle has it: a kernel confirms the same cases."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harness.engines.protocol import Observation
from harness.oracle import linux, predict
from harness.trials.verdict import judge
from harness.world import dumps, loads, problems
from tests.helpers.operation_cases import CASES, PROTECTED, THROUGH_FUSE
from tests.mutants.operations import WRONG_OF_OPERATIONS

if TYPE_CHECKING:
    from tests.mutants.oracles import WrongOracle


@pytest.mark.parametrize("name", CASES)
def test_the_oracle_says_what_comes_of_each_attempt(name: str) -> None:
    case = CASES[name]
    assert not list(problems(case.world))
    assert loads(dumps(case.world)) == case.world
    for step, decision in zip(case.steps, predict(case.world, case.world.attempts, linux()), strict=True):
        observed = Observation(decision.outcome, decision.at)
        assert judge(step.attempt, decision, observed).differences == ()
        if step.shows is not None:
            assert decision.seen == step.shows, step.attempt


def test_what_is_made_through_fuse_has_permission_bits_alone() -> None:
    decisions = predict(THROUGH_FUSE.world, THROUGH_FUSE.world.attempts, linux())
    assert [decision.seen for decision in decisions] == [step.shows for step in THROUGH_FUSE.steps]


@pytest.mark.parametrize("name", PROTECTED)
def test_settings_turn_what_create_opens_in_sticky_directories(name: str) -> None:
    settings, case = PROTECTED[name]
    decisions = predict(case.world, case.world.attempts, linux(settings))
    assert [decision.outcome for decision in decisions] == [step.attempt.expect for step in case.steps]


@pytest.mark.parametrize("wrong", WRONG_OF_OPERATIONS, ids=lambda wrong: wrong.name.replace(" ", "-"))
def test_a_case_finds_each_wrong_oracle(wrong: WrongOracle) -> None:
    for case in CASES.values():
        decisions = wrong(case.world, case.world.attempts, linux())
        for step, decision in zip(case.steps, decisions, strict=True):
            if decision.outcome != step.attempt.expect or (step.shows is not None and decision.seen != step.shows):
                return
    pytest.fail(f"no case shows that {wrong.name}")
