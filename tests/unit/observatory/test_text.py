"""Nothing that others said moves a terminal's cursor or turns the direction of its text; JSON means the same."""

from __future__ import annotations

import json
import sys
import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from observatory.text import printable, printable_json, printable_lines

UNSEEN = {"Cc", "Cf", "Zl", "Zp"}


def unseen(text: str) -> set[str]:
    return {character for character in text if unicodedata.category(character) in UNSEEN}


def test_json_has_an_escape_for_every_character_that_is_not_seen() -> None:
    """Among all others, and beside none: a text of ASCII alone is not looked through."""
    everything = "".join(map(chr, [*range(0xD800), *range(0xE000, sys.maxunicode + 1)]))
    for said in ({"\u202e": [everything]}, "\\\u202e", *map(chr, range(0x100))):
        shown = printable_json(json.dumps(said, ensure_ascii=False))
        assert not unseen(shown)
        assert json.loads(shown) == said


@given(st.text())
def test_a_line_has_nothing_in_it_that_is_not_seen(text: str) -> None:
    assert printable(text).isprintable()
    assert not unseen(printable_lines(text)) - {"\n", "\t"}


def test_what_can_be_seen_is_shown_as_it_is() -> None:
    assert printable("gr\u00fc\u00df dich \u65e5\u672c") == "gr\u00fc\u00df dich \u65e5\u672c"
    assert printable("a\tb\n\x1b\u202e") == "a\\tb\\n\\x1b\\u202e"
    assert printable_json("gr\u00fc\u00df\n") == "gr\u00fc\u00df\n"


def test_lines_and_columns_stay() -> None:
    assert printable_lines("a\t\x1b[2J\r\n\u202eb\n") == "a\t\\x1b[2J\\r\n\\u202eb\n"
    assert printable_lines("gr\u00fc\u00df\n\tdich") == "gr\u00fc\u00df\n\tdich"
