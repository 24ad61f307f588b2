"""What holds of real servers, and what is broken in them: every check of every subject has the one verdict that is
its due.

A fault that is listed here was seen, and is a fault of that server; the day it is mended, this fails and tells us.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from harness.checks import CHECKS
from harness.checks.runner import attack
from harness.inside.probes.many import FEWEST
from harness.subjects import SUBJECTS
from harness.testbed.testbed import Testbed
from tests.helpers.due_verdicts import DUE

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.engines.protocol import Place
    from harness.pytest_plugin.fixtures import Tally
    from harness.subjects import Subject


def fewer(starts: int, connections: int | None = None) -> Callable[[Subject], Subject]:
    """So many repetitions of a subject; as many connections as it always has, if none are named."""

    def change(subject: Subject) -> Subject:
        more = subject.connections if connections is None else connections
        return replace(subject, starts=starts, connections=more)

    return change


STARTS = 4
FEWER = {"dockerd": fewer(2), "postgresql": fewer(STARTS, 200), "postgresql-17": fewer(STARTS, 200)}
"""Repetitions of what takes long, where `harness check` makes 1,000 connections and as many starts as time allows; the
start that is taken step by step misses nothing."""
CASES = [pytest.param(name, each.name, id=f"{name}-{each.name}") for name in DUE for each in CHECKS]


@pytest.mark.parametrize(("subject", "name"), CASES)
def test_a_real_server_holds_what_it_holds_and_its_faults_are_seen(
    place_of: Callable[[Subject], Place], tally: Tally, subject: str, name: str
) -> None:
    server = FEWER.get(subject, fewer(STARTS))(SUBJECTS[subject])
    testbed = Testbed(place_of(server), server, mode=0o660, owner=server.owner, group=server.group)
    finding = attack(testbed, next(each for each in CHECKS if each.name == name))
    tally(checks=1)
    again = f"harness check --only {name} {subject}"
    assert finding.verdict == DUE[subject].get(name, "held"), f"{finding.why}\nagain: {again}"


def test_a_slow_start_leaves_time_to_look_for_a_descriptor_leak(place_of: Callable[[Subject], Place]) -> None:
    server = SUBJECTS["observatory"]
    testbed = Testbed(place_of(server), server, mode=0o660, owner=server.owner, group=server.group)
    testbed.limit = 0.0
    finding = attack(testbed, next(each for each in CHECKS if each.name == "descriptor-leak"))
    assert (finding.verdict, finding.evidence["made"]) == ("held", [FEWEST, 2 * FEWEST]), finding.why
