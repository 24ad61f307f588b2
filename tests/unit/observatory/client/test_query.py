"""Times as people say them."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta, timezone

import pytest

from observatory.client.query import instant, rfc3339

NOW = datetime(2026, 3, 29, 12, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "means"),
    [
        ("90s", "2026-03-29T12:28:30.000000Z"),
        ("15m", "2026-03-29T12:15:00.000000Z"),
        (" 1H ", "2026-03-29T11:30:00.000000Z"),
        ("2d", "2026-03-27T12:30:00.000000Z"),
        ("1w", "2026-03-22T12:30:00.000000Z"),
        ("today", "2026-03-29T00:00:00.000000Z"),
        ("yesterday", "2026-03-28T00:00:00.000000Z"),
        ("2026-01-31", "2026-01-31T00:00:00.000000Z"),
        ("2026-01-31 13:00", "2026-01-31T13:00:00.000000Z"),
        ("2026-01-31T13:00:00.25+01:00", "2026-01-31T12:00:00.250000Z"),
        ("999999999w", "0002-01-01T00:00:00.000000Z"),
    ],
)
def test_a_time_is_what_a_person_means(text: str, means: str) -> None:
    assert rfc3339(instant(text, NOW)) == means


@pytest.mark.parametrize("text", ["", "soon", "1y", "-1h", "13", "2026-13-01", "1h ago", "\u0663h"])
def test_what_is_no_time_is_refused_with_examples(text: str) -> None:
    with pytest.raises(ValueError, match="is not a time such as 1h, today, "):
        instant(text, NOW)


@pytest.mark.parametrize("text", ["9999-12-31T23:59:59-23:59", "0001-01-01T00:00+14:00"])
def test_a_time_that_utc_has_not_is_refused_in_a_sentence(text: str) -> None:
    with pytest.raises(ValueError, match=r"is in no year from 1 to 9999 in UTC: say a time such as 1h"):
        instant(text, NOW)


def test_a_local_day_begins_by_the_offset_of_that_day(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3")
    time.tzset()
    try:
        now = datetime(2026, 3, 29, 14, 30, tzinfo=timezone(timedelta(hours=2)))
        assert rfc3339(instant("today", now)) == "2026-03-28T23:00:00.000000Z", "winter's at midnight"
        assert rfc3339(instant("2026-07-01", now)) == "2026-06-30T22:00:00.000000Z"
    finally:
        monkeypatch.undo()
        time.tzset()
