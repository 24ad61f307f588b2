"""A world of a size that nobody writes by hand: many users, many attempts, deep paths, long names."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.helpers.program import program

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.engines.protocol import Engine
    from harness.pytest_plugin.fixtures import Tally

BENCHMARKS = Path(__file__).parents[3] / "benchmarks"
MEGABYTES = 160
"""More than a run of one attempt takes (about 60), less than if each attempt kept a world."""


@pytest.fixture(scope="module")
def size() -> Any:
    """The benchmark, which says how long it takes."""
    return program(BENCHMARKS / "size.py")


def test_ten_thousand_attempts_of_a_thousand_users_are_made_and_judged_in_little_memory(
    size: Any, engine: Engine, tmp_path: Path, tally: Tally, record_property: Callable[[str, object], None]
) -> None:
    assert size.DEEP.count("/") == 200
    assert len(size.LONG) == 4000
    size.write(tmp_path / "size.toml")
    run = size.run(tmp_path / "size.toml", engine.name)
    record_property("seconds", round(run.seconds, 1))
    assert (run.status, run.summary["attempts"], run.summary["disagreements"]) == (0, size.USERS * size.ATTEMPTS, 0)
    tally(attempts=run.summary["attempts"])
    assert run.megabytes < MEGABYTES
