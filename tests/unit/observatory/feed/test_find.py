"""What a person writes into a find field."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from observatory.feed.find import read_filter

NOW = datetime(2026, 1, 1, 2, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "trouble"),
    [
        ("event=pretolus", "did you mean PreToolUse?"),
        ("tool=edt", "did you mean Edit?"),
        ("since=soon", "'soon' is not a time such as 1h, today, "),
        ("since=1h until=2h", "until= is not after since="),
        ("tool=edt since=soon", "did you mean Edit?"),
        ("event=pre tool=mcp__git since=1h until=", None),
    ],
)
def test_what_nobody_can_have_meant_is_said(text: str, trouble: str | None) -> None:
    said = read_filter(text, NOW).trouble
    assert said is None if trouble is None else trouble in str(said)
