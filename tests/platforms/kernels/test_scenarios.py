"""The scenarios, on each kernel: what `tests/integration` says of one of them must be true of all."""

from __future__ import annotations

from tests.integration.scenarios import test_scenarios

test_the_kernel_the_oracle_and_the_scenario_say_the_same = (
    test_scenarios.test_the_kernel_the_oracle_and_the_scenario_say_the_same
)
