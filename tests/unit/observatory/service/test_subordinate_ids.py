"""The ranges of uids that /etc/subuid gives to users."""

from __future__ import annotations

from typing import TYPE_CHECKING

from observatory.service.quota import Range
from observatory.service.subordinate_ids import parse, subordinate_ids

if TYPE_CHECKING:
    from pathlib import Path

NAMES = {"alice": 1500, "root": 0}


def test_owners_are_names_or_numbers() -> None:
    text = "alice:100000:65536\n1600:165536:65536\nroot:300000:1\n"
    found = list(parse(text, NAMES.get))
    assert found == [Range(1500, 100_000, 65_536), Range(1600, 165_536, 65_536), Range(0, 300_000, 1)]


def test_what_makes_no_sense_is_passed_over() -> None:
    lines = ("", "# a comment", "alice:100000", "alice:x:1", "alice:-1:5", "alice:1:2:3", "nobody-here:1:2")
    text = "\n".join((*lines, "alice:1:99999999999", "alice:7:9"))
    assert list(parse(text, NAMES.get)) == [Range(1500, 7, 9)]


def test_without_a_file_there_are_none(tmp_path: Path) -> None:
    assert subordinate_ids(tmp_path / "subuid") == []


def test_a_file_is_read_with_the_names_of_this_machine(tmp_path: Path) -> None:
    (tmp_path / "subuid").write_bytes(b"root:100000:65536\n\xff\xfe:1:2\n")
    assert subordinate_ids(tmp_path / "subuid") == [Range(0, 100_000, 65_536)]
