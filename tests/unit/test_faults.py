"""What sessions that are seldom run break on purpose is still there to be broken."""

from __future__ import annotations

import importlib
import pkgutil
from pathlib import Path

import pytest

import tests.hostile
import tests.server
from tests.hostile.guards import SOURCE, Guard
from tests.server.test_faults import FAULTS

ROOT = Path(__file__).parents[2]


def guards() -> list[tuple[str, Guard]]:
    """Every guard that a test takes out, and its name."""
    found = []
    for package in (tests.hostile, tests.server):
        for each in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
            if ".test_" not in each.name:
                continue
            module = importlib.import_module(each.name)
            found += [
                (f"{each.name}.{name}", value) for name, value in vars(module).items() if isinstance(value, Guard)
            ]
    return found


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_of_the_server_has_one_place_where_it_is_made_and_a_test_that_is_there(name: str) -> None:
    fault = FAULTS[name]
    text = (SOURCE / fault.module).read_text()
    for right, wrong in ((fault.right, fault.wrong), *([fault.also] if fault.also else [])):
        assert (text.count(right), right == wrong) == (1, False)
        text = text.replace(right, wrong)
    compile(text, fault.module, "exec")
    file, _, test = fault.test.partition("::")
    assert f"def {test}" in (ROOT / "tests/server" / file).read_text()


@pytest.mark.parametrize(("name", "guard"), [pytest.param(*each, id=each[0]) for each in guards()])
def test_a_guard_that_is_taken_out_is_there(name: str, guard: Guard) -> None:
    compile(guard.taken_out((SOURCE / guard.module).read_text()), name, "exec")
