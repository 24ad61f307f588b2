"""What docs/checks.md and docs/subjects.md say of checks and servers is what there is."""

from __future__ import annotations

import re
from pathlib import Path

from harness.checks import CHECKS
from harness.subjects import SUBJECTS
from tests.helpers.due_verdicts import DUE

DOCS = Path(__file__).parents[4] / "docs"


def rows(document: str, heading: str) -> list[tuple[str, ...]]:
    """The cells of the table that begins with this heading."""
    lines = (DOCS / document).read_text(encoding="utf-8").splitlines()
    found = []
    for line in lines[lines.index(heading) + 2 :]:
        if not line.startswith("|"):
            break
        found.append(tuple(cell.strip().strip("`") for cell in line.strip("|").split("|")))
    return found


def test_every_check_is_described_by_its_own_statement() -> None:
    assert rows("checks.md", "| check | what must hold |") == [(check.name, check.holds) for check in CHECKS]


def test_every_subject_is_described_by_its_own_words() -> None:
    assert rows("subjects.md", "| name | what it is | speaks | told its mode by |") == [
        (subject.name, subject.about, subject.speaks, subject.mode_by) for subject in SUBJECTS.values()
    ]


def test_the_known_faults_are_those_that_the_tests_of_the_subjects_see() -> None:
    _, _, text = (DOCS / "subjects.md").read_text(encoding="utf-8").partition("## Known faults")
    named = re.findall(r"^- ((?:`[\w-]+` `[\w-]+`(?:, )?)+)", text, re.MULTILINE)
    told = {pair for line in named for pair in re.findall(r"`([\w-]+)` `([\w-]+)`", line)}
    assert told == {
        (subject, name) for subject, due in DUE.items() for name, verdict in due.items() if verdict == "broken"
    }
