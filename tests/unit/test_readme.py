"""The figures with which the README says why are those of the documents that they come from."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from harness.trials.grid_sweep import ATTEMPTS

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
FIELD = (ROOT / "docs" / "field.md").read_text(encoding="utf-8").partition("\n## ")[0]
HEAD, _, *ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")] for line in FIELD.splitlines() if line.startswith("|")
]


@pytest.mark.parametrize(
    ("words", "check"),
    [
        ("let a second start take", "takeover-live"),
        ("remove or replace something else", "takeover-foreign"),
        ("can be reached, at some moment", "creation-window"),
        ("can be kept from answering", "flood"),
    ],
)
def test_as_many_servers_are_broken_as_the_readme_says(words: str, check: str) -> None:
    said = re.search(rf"^- (\d+) {words}", README, re.MULTILINE)
    assert said is not None
    assert int(said[1]) == sum("**broken**" in row[HEAD.index(check)] for row in ROWS)


def test_so_many_servers_were_checked_and_modes_compared() -> None:
    assert f"[{len(ROWS)} servers in Debian]" in README
    assert f"{ATTEMPTS:,} combinations" in README


def test_so_many_scenarios_come_with_it() -> None:
    assert f"{len(list((ROOT / 'harness' / 'scenarios').glob('*.toml')))} known problems" in README
