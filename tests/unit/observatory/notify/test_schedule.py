"""A burst is one message, and quiet hours are quiet."""

from __future__ import annotations

from datetime import datetime

import pytest

from observatory.notify import schedule as module
from observatory.notify.occasions import Occasion
from observatory.notify.schedule import Schedule, quiet_hours

NOON = datetime(2026, 1, 1, 12)


def occasion(session: str = "s1", what: str = "") -> Occasion:
    return Occasion("waits", (None, 0, session), "me", "", what, 0, 0)


def test_what_comes_in_a_burst_is_told_together() -> None:
    schedule = Schedule(2.0)
    assert schedule.pause(0.0, NOON) is None
    schedule.add([occasion()], 10.0)
    schedule.add([occasion("s2"), occasion(what="again")], 11.5)
    assert schedule.pause(11.5, NOON) == 0.5
    assert schedule.pause(12.0, NOON) == 0.0
    assert [(found.session[2], found.what) for found in schedule.take()] == [("s2", ""), ("s1", "again")]
    assert (schedule.take(), schedule.pause(13.0, NOON)) == ([], None)


@pytest.mark.parametrize(
    ("hours", "now", "seconds"),
    [
        ("22:00-07:00", "21:59:59", None),
        ("22:00-07:00", "22:00:00", 9 * 3600),
        ("22:00-07:00", "00:00:00", 7 * 3600),
        ("22:00-07:00", "06:59:59", 1),
        ("22:00-07:00", "07:00:00", None),
        ("9:00-17:30", "09:00:00", 8.5 * 3600),
        ("9:00-17:30", "17:30:00", None),
    ],
)
def test_quiet_hours_end_by_the_clock(hours: str, now: str, seconds: float | None) -> None:
    schedule = Schedule(0.0, quiet_hours(hours))
    schedule.add([occasion()], 0.0)
    assert schedule.pause(0.0, datetime.fromisoformat(f"2026-01-01T{now}")) == (seconds or 0.0)


@pytest.mark.parametrize(
    "text", ["", "22-7", "24:00-07:00", "22:60-07:00", "07:00-07:00", "22:00-07:00 ", "٢٢:00-07:00"]
)
def test_what_are_no_quiet_hours_is_said(text: str) -> None:
    with pytest.raises(ValueError, match="not a time span such as"):
        quiet_hours(text)


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST", 3)
    schedule = Schedule(1.0)
    schedule.add([occasion(f"s{number}") for number in range(5)], 0.0)
    assert [found.session[2] for found in schedule.take()] == ["s2", "s3", "s4"]
