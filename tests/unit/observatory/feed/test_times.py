"""Times as people are shown them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from observatory.feed.times import shown
from tests.helpers.time_zone import time_zone


@pytest.mark.parametrize("zone", ["Asia/Kathmandu", "Europe/Amsterdam", "UTC"])
@pytest.mark.parametrize(
    "text",
    [
        "2026-01-31T13:00:00.000000Z",
        "2026-01-31T13:00:59.999999Z",
        "2026-10-25T00:59:59.000000Z",  # the clocks of Amsterdam are set back after this
        "2026-10-25T01:00:00.000000Z",
        "1800-01-31T13:00:07.000000Z",  # zones had seconds then
        "1900-01-31T13:00:59.000000Z",
        "2026-01-31T13:00:07Z",
    ],
)
def test_a_time_is_local_with_its_offset_or_in_utc(zone: str, text: str) -> None:
    then = datetime.fromisoformat(text)
    with time_zone(zone):
        assert shown(text, utc=False) == then.astimezone().isoformat(" ", "seconds")
    assert shown(text, utc=True) == f"{then.astimezone(UTC):%Y-%m-%d %H:%M:%S}".rjust(19, "0") + "Z"


@pytest.mark.parametrize("text", ["2026-01-31T13:00:61.000000Z", "2026-01-31T13:00: 1.000000Z", "soon", 7])
def test_what_is_no_time_is_shown_as_it_came(text: object) -> None:
    assert shown(text, utc=False) == str(text)
