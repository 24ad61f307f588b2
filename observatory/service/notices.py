"""Log lines that peers can cause: a few of each kind, however often it happens."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

INTERVAL: Final = 10.0
"""Seconds between two lines of a kind."""


class Notices:
    """Writes one line of a kind in a while, and how many were left out before it."""

    def __init__(self, log: Callable[[str], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._log = log
        self._clock = clock
        self._last: dict[str, float] = {}
        self._left_out: dict[str, int] = {}

    def __call__(self, kind: str, sentence: str) -> None:
        """Say it, or count it."""
        now = self._clock()
        if kind in self._last and now - self._last[kind] < INTERVAL:
            self._left_out[kind] = self._left_out.get(kind, 0) + 1
            return
        self._last[kind] = now
        more = self._left_out.pop(kind, 0)
        self._log(f"{sentence} ({more} more like this before)" if more else sentence)
