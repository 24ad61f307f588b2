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
INSTEAD_IN_PROSE = {
    r"\banew\b": "again",
    r"\b(?:is|are) (?:told|said)\b(?! to)": "a message says, the log says; is reported, is shown",
    r"(?:^|[.;:] |\b(?:for|of|by|than) )who (?:ask|block|connect|do|follow|get|ha|hold|lack|may|must|send)": "a user",
    r"(?<!there )\b(?:is|are) no (?!exception|longer|more)\w+": "is not a",
    r"\b(?:for ever|in calm|in peace|to be had)\b": "until it is stopped; undisturbed; available",
    r"\bwhat (?:came|comes) of\b": "the result of",
    r"\bone's own\b|\bone may\b": "your own; you may",
    r"\bown word\b": "claim",
}
"""Beside those, what is not said where the text is not code: messages are, in the list of them."""


def said(text: str) -> str:
    """What is said: without blocks of code, and in one line."""
    return " ".join(re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL).split())


def prose(text: str) -> str:
    """The same without code within a line."""
    return re.sub(r"`[^`]*`", "`code`", said(text))


@pytest.mark.parametrize("words", [*INSTEAD, *INSTEAD_IN_PROSE])
def test_nothing_is_said_in_words_that_readers_stumble_over(words: str) -> None:
    part, instead = (said, INSTEAD[words]) if words in INSTEAD else (prose, INSTEAD_IN_PROSE[words])
    found = [
        f"{path.relative_to(ROOT)}: ...{text[max(0, match.start() - 40) : match.end() + 40]}... -> {instead}"
        for path, text in ((path, part(path.read_text(encoding="utf-8"))) for path in TEXTS)
        for match in re.finditer(words, text, re.IGNORECASE)
    ]
    assert found == []


def test_a_word_is_found_across_lines_and_not_in_code() -> None:
    text = "The harness holds what\nthe kernel did against the model.\n```\nit makes no sense\n```\n"
    assert [words for words in INSTEAD if re.search(words, said(text))] == [next(iter(INSTEAD))]
    text = "`start the server anew` is what it prints, and\nis told to print."
    assert [words for words in INSTEAD_IN_PROSE if re.search(words, prose(text))] == []
    assert re.search(next(iter(INSTEAD_IN_PROSE)), said(text))
