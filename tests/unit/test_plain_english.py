"""The documents and the scenarios use the field's words, and none of those that readers stumbled over."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEXTS = (
    *(ROOT / name for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")),
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "harness" / "scenarios").glob("*.toml")),
)
INSTEAD = {
    r"\bh(?:old|olds|eld|olding) (?:\w+ ){0,8}against (?:a|an|the|each|its|what) ": "compare with",
    r"\bowes?\b": "predict, or expect",
    r"\bmakes? no sense\b": "is invalid, or does not apply; a usage error",
    r"\bmisfortunes?\b": "problem",
    r"\bin get\b": "get in",
    r"(?:^|[.:;] )(?:told|counted) is\b": "say who tells or counts",
    r"\blookings\b": "looks",
    r"\bin it stand\b": "it contains",
    r"\bone's own word\b": "claim",
    r"\b(?:whilst|thereof|hereby|heretofore)\b": "while, of it, by this, until now",
}


def said(text: str) -> str:
    """What is said: without blocks of code, and in one line."""
    return " ".join(re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL).split())


@pytest.mark.parametrize("words", INSTEAD)
def test_nothing_is_said_in_words_that_readers_stumble_over(words: str) -> None:
    found = [
        f"{path.relative_to(ROOT)}: ...{match[0]}... -> {INSTEAD[words]}"
        for path in TEXTS
        for match in re.finditer(f".{{0,40}}{words}.{{0,40}}", said(path.read_text(encoding="utf-8")), re.IGNORECASE)
    ]
    assert found == []


def test_a_word_is_found_across_lines_and_not_in_code() -> None:
    text = "The harness holds what\nthe kernel did against the model.\n```\nit makes no sense\n```\n"
    assert [words for words in INSTEAD if re.search(words, said(text))] == [next(iter(INSTEAD))]
