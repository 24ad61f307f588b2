"""Each sentence that a command refuses or fails with is explained, or is in the list of those that need no more."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.helpers.program import program

ROOT = Path(__file__).parents[2]
MESSAGES = program(ROOT / "docs" / "messages.py")
EXPLAINED = MESSAGES.headings((ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8"))
SAID = {name: MESSAGES.messages(ROOT, name) for name in MESSAGES.SHOWN}


@pytest.mark.parametrize("heading", EXPLAINED)
def test_what_is_explained_is_said(heading: str) -> None:
    assert heading in {*SAID["observatory"], *SAID["harness"]}


def test_no_sentence_is_explained_twice() -> None:
    assert len(set(EXPLAINED)) == len(EXPLAINED) > 30


def test_every_sentence_is_explained_or_listed() -> None:
    listed = (ROOT / "docs" / "messages.md").read_text(encoding="utf-8")
    missing = {said for package in SAID.values() for said in package if said not in EXPLAINED}
    assert {said for said in missing if f"\n- `{said}`\n" not in listed} == set(), "python docs/generate.py lists it"


def test_a_sentence_is_found_however_it_is_written(tmp_path: Path) -> None:
    (tmp_path / "harness").mkdir()
    (tmp_path / "harness" / "module.py").write_text(
        "def ask(name, more):\n"
        '    if name:\n        raise WorldError(f"there is no {name!r} in `it`" + more)\n'
        '    if more:\n        raise ValueError("for nobody to read")\n'
        '    print(f"harness: nothing done: {more}", file=sys.stderr)\n'
    )
    assert MESSAGES.messages(tmp_path, "harness") == ("nothing done: …", "there is no … in 'it'…")
