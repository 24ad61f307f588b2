"""Runs that never happened, for every report."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.helpers.runs import WORLD, admitted, refused, run_of

if TYPE_CHECKING:
    from harness.trials.run import Run
    from harness.trials.verdict import Verdict
    from harness.world import World


@pytest.fixture
def world() -> World:
    return WORLD


@pytest.fixture
def refusal() -> Verdict:
    return refused()


@pytest.fixture
def run() -> Run:
    """One admitted, one refused, all as the oracle says."""
    return run_of(admitted(), refused())


@pytest.fixture
def disagreeing() -> Run:
    """The kernel let nginx in, where the oracle says EACCES."""
    return run_of(admitted(), refused(observed="ok"))
