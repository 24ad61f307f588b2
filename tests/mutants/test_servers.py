"""The checks hold a correct server to be correct, and catch every server that is broken on purpose."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from harness.checks.runner import Configuration, check
from harness.subjects import Subject
from tests.mutants.conftest import INSIDE
from tests.mutants.mutants import MUTANTS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from harness.checks import CheckResult
    from harness.engines.protocol import Place

RUNS = 20
STARTS = 10
"""Starts at full speed for `creation-window`; the start that is taken one system call at a time misses nothing."""


def subject(name: str) -> Subject:
    """A mutant, or `reference`, as a server under test."""
    return Subject(
        name=name,
        about="a server of this suite",
        command=(
            *("python3", "-S", "-m", "tests.mutants.mutants", name),
            *("--socket", "{socket}", "--mode", "{mode}", "--group", "{group}"),
        ),
        speaks="hooks",
        starts=STARTS,
        environment={"PYTHONPATH": INSIDE, "PYTHONDONTWRITEBYTECODE": "1"},
    )


def results(place: Place, name: str) -> dict[str, CheckResult]:
    """Every check's result for a mutant."""
    made = check(place, subject(name), Configuration(group="web"), ("harness", "check"))
    return {result.check: result for result in made}


@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_broken_server_is_caught_by_the_check_that_is_meant_for_its_fault(
    place: Place, record: Callable[[str, str, Mapping[str, str]], None], mutant: str
) -> None:
    meant = MUTANTS[mutant][1]
    seen = results(place, mutant)
    record(mutant, meant, {name: result.verdict for name, result in seen.items()})
    assert seen[meant].verdict == "broken", seen[meant].why


@pytest.mark.parametrize("turn", range(RUNS))
def test_the_unbroken_server_is_caught_by_no_check(
    place: Place, record: Callable[[str, str, Mapping[str, str]], None], turn: int
) -> None:
    seen = results(place, "reference")
    record(f"reference, run {turn + 1:02}", "", {name: result.verdict for name, result in seen.items()})
    assert {name: result.why for name, result in seen.items() if result.verdict != "held"} == {}


def test_a_client_that_talks_to_whoever_took_the_name_is_caught(place: Place) -> None:
    client = ("curl", "--silent", "--unix-socket", "{socket}", "http://localhost/events")
    trusting = replace(subject("reference"), client=client)
    (seen,) = check(place, trusting, Configuration(group="web"), ("harness", "check"), ["squatting"])
    assert seen.verdict == "broken"
    assert "its client sent" in seen.why


def test_every_mutant_differs_from_the_reference_in_what_it_overrides_and_nothing_else() -> None:
    assert len(MUTANTS) >= 30
    for name, (kind, _) in MUTANTS.items():
        (base,) = kind.__bases__
        assert base.__name__ == "Server", f"{name} is not made of the reference directly"
        assert kind.__doc__, f"{name} does not say what its fault is"
