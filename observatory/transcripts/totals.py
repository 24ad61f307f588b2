"""Answers added up: by session, agent, model or day."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime, tzinfo

    from observatory.transcripts.prices import Prices
    from observatory.transcripts.usage import Answer


@dataclass(slots=True)
class Total:
    """What some answers took together. Its key says of what: an owner's uid first, then names."""

    key: tuple[int | str, ...]
    last: datetime
    models: set[str] = field(default_factory=set)
    agent_type: str | None = None
    answers: int = 0
    input: int = 0
    output: int = 0
    cache_writes_5m: int = 0
    cache_writes_1h: int = 0
    cache_reads: int = 0
    web_searches: int = 0
    cost: Decimal = Decimal(0)
    """US dollars, without the answers of models whose price is not known."""
    unknown: set[str] = field(default_factory=set)
    """These models."""

    def add(self, answer: Answer, prices: Prices) -> None:
        """Add one answer."""
        usage = answer.usage
        self.last = max(self.last, answer.time)
        self.models.add(answer.model)
        self.agent_type = self.agent_type or answer.agent_type
        self.answers += 1
        self.input += usage.input_tokens
        self.output += usage.output_tokens
        hour = usage.cache_writes_1h
        self.cache_writes_1h += hour
        self.cache_writes_5m += usage.cache_writes - hour
        self.cache_reads += usage.cache_reads
        self.web_searches += usage.web_searches
        cost = prices.cost(answer.model, usage)
        if cost is None:
            self.unknown.add(answer.model)
        else:
            self.cost += cost


_ADDED: Final = (
    *("answers", "input", "output", "cache_writes_5m", "cache_writes_1h", "cache_reads", "web_searches", "cost"),
)


def _session(answer: Answer, _zone: tzinfo | None) -> tuple[str, ...]:
    return (answer.session,)


def _agent(answer: Answer, _zone: tzinfo | None) -> tuple[str, ...]:
    return answer.session, answer.agent or ""


def _model(answer: Answer, _zone: tzinfo | None) -> tuple[str, ...]:
    return (answer.model,)


def _day(answer: Answer, zone: tzinfo | None) -> tuple[str, ...]:
    return (answer.time.astimezone(zone).date().isoformat(),)


KEYS: Final[dict[str, Callable[[Answer, tzinfo | None], tuple[str, ...]]]] = {
    "session": _session,
    "agent": _agent,
    "model": _model,
    "day": _day,
}


def totals(answers: Iterable[Answer], by: str, prices: Prices, zone: tzinfo | None) -> list[Total]:
    """The totals by one of `KEYS` for each owner, the latest first. Days are those of `zone`, `None` for the local."""
    found: dict[tuple[int | str, ...], Total] = {}
    for answer in answers:
        key: tuple[int | str, ...] = (answer.owner, *KEYS[by](answer, zone))
        total = found.get(key)
        if total is None:
            total = found[key] = Total(key, answer.time)
        total.add(answer, prices)
    return sorted(found.values(), key=lambda total: total.last, reverse=True)


def whole(rows: Iterable[Total]) -> Total | None:
    """All of these totals together; `None` for none."""
    total: Total | None = None
    for row in rows:
        total = total or Total((), row.last)
        total.last = max(total.last, row.last)
        total.models |= row.models
        total.unknown |= row.unknown
        total.agent_type = total.agent_type or row.agent_type
        for name in _ADDED:
            setattr(total, name, getattr(total, name) + getattr(row, name))
    return total
