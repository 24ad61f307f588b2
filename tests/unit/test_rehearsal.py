"""What the rehearsal of other systems relies on, seen without one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.platforms.rehearsal.faults import FAULTS, Fault

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_fault_has_one_place_where_it_is_made_and_a_test_that_is_there(fault: Fault) -> None:
    text = (ROOT / fault.file).read_text()
    assert (text.count(fault.text), fault.text == fault.instead) == (1, False)
    file, _, test = fault.test.partition("::")
    assert f"def {test}" in (ROOT / file).read_text()


def test_the_five_kinds_of_faults_are_made() -> None:
    made = "\n".join(fault.name for fault in FAULTS)
    for kind in ("setresuid", "/proc", "backslash", "ECONNREFUSED", "link"):
        assert kind in made
