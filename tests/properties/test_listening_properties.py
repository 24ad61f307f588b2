"""Modes, any of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from observatory.listening import parse_mode


@given(st.text() | st.text("01234567 o+-8_", max_size=6))
def test_a_mode_is_read_exactly_if_it_is_one_to_four_octal_digits_below_01000(text: str) -> None:
    good = 1 <= len(text) <= 4 and all(digit in "01234567" for digit in text) and (len(text) < 4 or text[0] == "0")
    if good:
        assert f"{parse_mode(text):o}" == (text.lstrip("0") or "0")
    else:
        with pytest.raises(ValueError, match=r"\Amode [^\n]*\Z"):
            parse_mode(text)
