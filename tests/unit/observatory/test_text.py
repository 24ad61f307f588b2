"""What others said is shown so that it can do nothing to a terminal."""

from __future__ import annotations

import json

from observatory.text import printable, printable_json


def test_what_can_be_seen_is_shown_as_it_is() -> None:
    assert printable("gr\u00fc\u00df dich \u65e5\u672c") == "gr\u00fc\u00df dich \u65e5\u672c"
    assert printable("a\tb\n\x1b\u202e") == "a\\tb\\n\\x1b\\u202e"


def test_json_stays_the_same_json_without_a_command_in_it() -> None:
    said = {"text": "\x1b]0;title\x07 \x7f \x9b31m \u00e9"}
    shown = printable_json(json.dumps(said, ensure_ascii=False))
    assert json.loads(shown) == said
    assert shown.isprintable()
    assert "\u00e9" in shown
