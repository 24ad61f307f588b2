"""A world and what is to be expected of it take no library that draws property tests, and no engine's."""

from __future__ import annotations

import subprocess
import sys

import pytest

TRY = """
import sys
for name in ("docker", "hypothesis", "pytest", "rich", "testcontainers"):
    sys.modules[name] = None
import {module}
"""


@pytest.mark.parametrize(
    "module",
    ["harness.world", "harness.oracle", "harness.scenarios", "harness.engines.protocol", "harness.trials.random_sweep"],
)
def test_it_is_imported_where_nothing_else_of_the_extra_is(module: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", TRY.format(module=module)], text=True, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr
