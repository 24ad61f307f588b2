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


def test_every_page_of_the_site_has_a_place_in_its_contents() -> None:
    index = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    named = re.findall(
        r"^([\w-]+)$", "".join(re.findall(r"^```{toctree}\n(.*?)^```", index, re.MULTILINE | re.DOTALL)), re.MULTILINE
    )
    assert sorted(named) == sorted(page.stem for page in (ROOT / "docs").glob("*.md") if page.stem != "index")


def test_every_heading_that_is_linked_is_there() -> None:
    for document in DOCUMENTS:
        for target, heading in re.findall(r"\]\(([^)#\s:]*)#([^)\s]+)\)", document.read_text(encoding="utf-8")):
            page = (document.parent / target) if target else document
            assert heading in headings(page), f"{document.name}: {target}#{heading}"


def headings(page: Path) -> set[str]:
    """The names of a page's headings, as GitHub and MyST make them."""
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    titles = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}
