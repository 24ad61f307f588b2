"""What docs/checks.md and docs/subjects.md say of checks and servers is what there is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from harness.checks import CHECKS
from harness.subjects import SUBJECTS
from harness.subjects.description import KEYS, load
from harness.subjects.option_words import option
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
    assert rows("subjects.md", "| name | what it is | speaks | how it gets its mode |") == [
        (subject.name, subject.about, subject.speaks, subject.mode_by) for subject in SUBJECTS.values()
    ]


def test_the_known_faults_are_those_that_the_tests_of_the_subjects_see() -> None:
    _, _, text = (DOCS / "subjects.md").read_text(encoding="utf-8").partition("## Known faults")
    named = re.findall(r"^- ((?:`[\w-]+` `[\w-]+`(?:, )?)+)", text, re.MULTILINE)
    told = {pair for line in named for pair in re.findall(r"`([\w-]+)` `([\w-]+)`", line)}
    assert told == {
        (subject, name) for subject, due in DUE.items() for name, verdict in due.items() if verdict == "broken"
    }


def test_every_key_of_a_subject_file_is_described_with_its_option() -> None:
    text = (DOCS / "checks.md").read_text(encoding="utf-8")
    table = rows("checks.md", "| option | key of a subject file | for |")
    keys = {key for row in table for key in re.findall(r"`\[?(\w+)\]?`", row[1])}
    keys |= {key.strip("[]") for row in table for key in row[1].replace("`", "").split(", ")}
    elsewhere = {"mode", "speaks", "dialect", "expected", "packages", "name", "about", "command", "socket"}
    assert keys | elsewhere | {"suite", "image", "client"} == KEYS
    assert all(f"`{word}" in text or f"{word} =" in text or f"[{word}" in text for word in elsewhere)
    for row in table:
        for option_name in re.findall(r"--[\w-]+", row[0]):
            key = next(key for key in KEYS if option(key) == option_name)
            assert key in row[1]


def test_the_subject_files_of_the_document_are_taken(tmp_path: Path) -> None:
    text = (DOCS / "checks.md").read_text(encoding="utf-8")
    first, dialect = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    file = tmp_path / "subject.toml"
    file.write_text(first, encoding="utf-8")
    assert load(file).expected["flood"]
    file.write_text(f'command = "served {{socket}}"\n{dialect}', encoding="utf-8")
    assert '"refused": "^no"' in load(file).subject.speaks


@pytest.mark.parametrize(
    "file", sorted((DOCS.parent / "contrib" / "subjects").glob("*.toml")), ids=lambda file: file.stem
)
def test_each_subject_file_of_the_repository_is_taken(file: Path) -> None:
    found = load(file)
    assert found.subject.about
    assert found.subject.packages
    assert {*found.expected} <= {check.name for check in CHECKS}
