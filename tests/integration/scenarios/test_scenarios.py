"""Every known problem happens as its file says, and `harness explain` on the spot names its cause."""

from __future__ import annotations

import contextlib
import re
import signal
from typing import TYPE_CHECKING

import pytest

from harness.oracle import predict, rules_of
from harness.report.run_terminal import text_of_run
from harness.scenarios import Scenario, library
from harness.trials.run import run_world
from tests.helpers.harness_command import explain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.engines.protocol import Place
    from harness.pytest_plugin.fixtures import Tally
    from harness.world import Attempt, World

every_scenario = pytest.mark.parametrize(
    "scenario", [pytest.param(scenario, id=scenario.source) for scenario in library()]
)


@every_scenario
def test_the_kernel_the_oracle_and_the_scenario_say_the_same(place: Place, scenario: Scenario, tally: Tally) -> None:
    run = run_world(scenario.world, place, f"harness run {scenario.source}", scenario.story)
    tally(attempts=len(run.verdicts))
    assert run.agree, text_of_run(run)


@every_scenario
def test_explain_on_the_spot_names_the_same_component_and_cause(place: Place, scenario: Scenario, tally: Tally) -> None:
    world = scenario.world
    place.build(world)
    for attempt, decision in zip(world.attempts, predict(world, world.attempts, rules_of(place.facts)), strict=True):
        with waiting(place, world, attempt) as pid:
            told = explain(place, *words(attempt), "--pid", str(pid))
        assert told.outcome == decision.outcome, told.text
        assert told.at == (None if decision.outcome == "ok" else decision.at), told.text
        assert told.status == (0 if decision.outcome == "ok" else 1)
        assert without_names(told.why) == without_names(decision.why), told.text
        assert decision.applied is None or any(
            words in told.text for words in (f"The class {decision.applied} applies", f"  class  {decision.applied}")
        )
        place.attempt([attempt])
        tally(explanations=1)


@contextlib.contextmanager
def waiting(place: Place, world: World, attempt: Attempt) -> Iterator[int]:
    """A process of the one who attempts, standing where they stand: its pid."""
    process = place.start(["sleep", "600"], world.principal(attempt.user), directory=attempt.cwd or "/")
    try:
        yield process.pid
    finally:
        process.signal(signal.SIGKILL)
        process.wait()


def words(attempt: Attempt) -> list[str]:
    """An attempt as arguments of `harness explain`."""
    arguments = [attempt.path, "--operation", attempt.operation]
    if attempt.to is not None:
        arguments += ["--to", attempt.to]
    if attempt.operation in {"connect", "bind"}:
        arguments += ["--type", attempt.type]
    return arguments


def without_names(sentence: str) -> str:
    """A reason by its numbers alone: a world may give two names to one uid, and a machine knows more names."""
    return re.sub(r" \([a-z][\w-]*\)|^[A-Za-z][\w-]*", "", sentence)
