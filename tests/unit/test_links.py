"""Every link in the documentation leads somewhere, and every document can be found from the README."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENTS = (ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md", *sorted((ROOT / "docs").glob("*.md")))


def links(document: Path) -> set[Path]:
    """The files of this repository that a document links to."""
    targets = re.findall(r"\]\(([^)#\s]+)", document.read_text(encoding="utf-8"))
    return {(document.parent / target).resolve() for target in targets if "://" not in target}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
def test_every_link_leads_to_a_file(document: Path) -> None:
    assert [str(target) for target in links(document) if not target.exists()] == []


def test_every_document_is_linked_from_the_readme_or_from_one_that_is() -> None:
    found = {ROOT / "README.md"}
    while more := {target for document in found for target in links(document) if target.suffix == ".md"} - found:
        found |= more
    assert sorted(set(DOCUMENTS) - found - {ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md"}) == []
