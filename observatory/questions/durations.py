"""How long tools take: the median and the 95th percentile of each."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import msgspec

from observatory.feed.row import LONGEST
from observatory.reading import reader

if TYPE_CHECKING:
    from collections.abc import Iterable

EVENTS: Final = ("PostToolUse", "PostToolUseFailure")
"""Those that say how long a tool took."""


@dataclass(frozen=True, slots=True)
class Durations:
    """How long the calls of a tool took, in milliseconds."""

    tool: str
    calls: int
    median: int
    p95: int
    longest: int


class _Call(msgspec.Struct):
    """What is read of an event; whatever its sender put into it."""

    tool_name: Any = None
    duration_ms: Any = None


def durations(lines: Iterable[bytes]) -> list[Durations]:
    """Of each tool whose duration the events say, the slowest first."""
    decode = reader(_Call)
    found: dict[str, list[float]] = {}
    for line in lines:
        call = decode(line)
        took = call.duration_ms
        if type(call.tool_name) is str and type(took) in (int, float) and 0 <= took < LONGEST:
            found.setdefault(call.tool_name, []).append(took)
    rows = [_of(tool, sorted(times)) for tool, times in found.items()]
    return sorted(rows, key=lambda row: (-row.median, row.tool))


def _of(tool: str, times: list[float]) -> Durations:
    """The nearest rank of each: a duration that there was."""
    median, p95 = (round(times[math.ceil(part * len(times)) - 1]) for part in (0.5, 0.95))
    return Durations(tool, len(times), median, p95, round(times[-1]))


def bar(row: Durations, longest: int, width: int) -> str:
    """A row of a chart: full up to the median, light up to the 95th percentile; ten times as long is a step wider."""
    scale = width / math.log10(max(longest, 10) + 1)
    median, p95 = (round(math.log10(value + 1) * scale) for value in (row.median, row.p95))
    return "\u2588" * median + "\u2591" * (p95 - median)
