from __future__ import annotations

import io
import os
import unicodedata
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from harness.report.text import Span, coloured, plain, visible, wants_colour

if TYPE_CHECKING:
    import pytest


def test_a_name_of_letters_stays_as_it_is() -> None:
    assert visible("/run/caf\u00e9.sock") == "/run/caf\u00e9.sock"


def test_a_name_cannot_clear_the_screen_or_turn_the_line_around() -> None:
    assert visible("a\x1b[2Jb\u202ec\nd\udcff") == "a\\x1b[2Jb\\u202ec\\nd\\udcff"


@given(st.text(st.characters(exclude_categories=()), min_size=1, max_size=40))
def test_whatever_the_name_what_is_shown_can_be_encoded_and_controls_nothing(name: str) -> None:
    shown = visible(name)
    assert shown.encode()
    assert not [character for character in shown if unicodedata.category(character) in {"Cc", "Cf", "Cs", "Zl", "Zp"}]


def test_plain_text_has_no_escape_sequences_and_no_trailing_blanks() -> None:
    assert plain([(Span("a ", "refused"), Span("b  "))]) == "a b\n"


def test_colours_are_ended_where_they_end() -> None:
    assert coloured([(Span("a", "refused"), Span("b"))]) == "\x1b[1;31ma\x1b[0mb\n"


def test_a_file_gets_no_colours() -> None:
    assert not wants_colour(io.StringIO())


def test_no_color_is_honoured_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    main, terminal = os.openpty()
    with os.fdopen(main), os.fdopen(terminal, "w") as stream:
        assert wants_colour(stream)
        monkeypatch.setenv("NO_COLOR", "1")
        assert not wants_colour(stream)
