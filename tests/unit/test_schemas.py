"""The JSON Schemas have exactly the keys that the harness reads. `nox -s lint` holds the shipped files to them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from harness.subjects import description
from harness.world import WorldError, loads
from tests.helpers.program import program

SCHEMAS = program(Path(__file__).parents[2] / "docs" / "schemas.py")
WORLD: dict[str, Any] = SCHEMAS.world()
TABLES = {
    "zzzzzz = 1": WORLD,
    "[users.ali]\nuid = 1\nzzzzzz = 1": WORLD["properties"]["users"]["additionalProperties"],
    '[[nodes]]\npath = "/run/s"\nkind = "socket"\nzzzzzz = 1': WORLD["properties"]["nodes"]["items"],
    '[[attempts]]\nuser = "root"\noperation = "stat"\npath = "/"\nzzzzzz = 1': WORLD["properties"]["attempts"]["items"],
}


@pytest.mark.parametrize("text", TABLES)
def test_a_table_of_a_world_has_the_keys_that_are_read(text: str) -> None:
    with pytest.raises(WorldError) as refused:
        loads(f'name = "w"\n{text}')
    known = re.search(r"known are (.*)$", str(refused.value))
    assert known is not None
    assert set(known[1].split(", ")) == set(TABLES[text]["properties"])
    assert TABLES[text]["additionalProperties"] is False


@pytest.mark.parametrize("text", [text for text in TABLES if text.startswith("[")])
def test_what_is_required_is_what_the_harness_misses(text: str) -> None:
    lines = text.splitlines()[:-1]
    missed = set()
    for line in lines[1:]:
        without = "\n".join(each for each in lines if each != line)
        with pytest.raises(WorldError) as refused:
            loads(f'name = "w"\n{without}')
        missed |= set(re.findall(r"(\w+) = is missing", str(refused.value)))
    assert missed == set(TABLES[text]["required"])


def test_a_subject_file_has_the_keys_that_are_read() -> None:
    assert set(SCHEMAS.subject()["properties"]) == description.KEYS


def test_a_key_is_described_by_its_own_table() -> None:
    nodes, attempts = (WORLD["properties"][noun]["items"]["properties"] for noun in ("nodes", "attempts"))
    assert nodes["root"]["description"] != attempts["root"]["description"]
    assert nodes["kind"]["enum"][:2] == ["directory", "socket"]
