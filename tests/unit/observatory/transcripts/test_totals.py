"""Totals by session, agent, model and day."""

from __future__ import annotations

from datetime import timedelta, timezone
from decimal import Decimal
from typing import TYPE_CHECKING

from observatory.transcripts.prices import prices
from observatory.transcripts.totals import totals, whole
from observatory.transcripts.usage import Reader

if TYPE_CHECKING:
    from collections.abc import Callable

NIGHT = "2026-11-29T23:30:00Z"


def test_everything_is_added_up_in_each_way(line: Callable[..., bytes]) -> None:
    reader = Reader()
    reader.read(7, [line(1), line(2, agentId="a1", attributionAgent="Explore"), line(3, model="mine", timestamp=NIGHT)])
    reader.read(8, [line(4)])
    answers, known = reader.answers(), prices(None)
    one = (100 * 5 + 40 * 25 + 3000 * Decimal("0.5") + 500 * Decimal("6.25") + 1500 * 10) / Decimal(10**6)

    def keys(by: str, zone: timezone | None = None) -> list[tuple[int | str, ...]]:
        return [total.key for total in totals(answers, by, known, zone)]

    session = "0f988d6d-0df8-4dc7-b68c-799843ede699"
    assert keys("session") == [(7, session), (8, session)]
    assert keys("agent") == [(7, session, ""), (8, session, ""), (7, session, "a1")]
    assert keys("model") == [(7, "mine"), (8, "claude-opus-4-8"), (7, "claude-opus-4-8")]
    east = timezone(timedelta(hours=1))
    assert keys("day", east) == [(7, "2026-11-30"), (8, "2026-11-29"), (7, "2026-11-29")]
    total = whole(totals(answers, "session", known, None))
    assert total is not None
    assert (total.answers, total.input, total.output, total.cache_writes_5m) == (4, 400, 160, 2000)
    assert (total.cache_writes_1h, total.cache_reads) == (6000, 12000)
    assert (total.cost, total.unknown) == (3 * one, {"mine"})
    assert whole([]) is None
