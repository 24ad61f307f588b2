"""Waiting for what only asking tells."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def until(true: Callable[[], object], what: str | Callable[[], str], seconds: float = 20, pause: float = 0.0) -> float:
    """Ask again and again until it is so; how long that took. `what` tells what did not come to be."""
    begun = time.monotonic()
    while not true():
        waited = time.monotonic() - begun
        assert waited < seconds, f"not within {seconds} s: {what if isinstance(what, str) else what()}"
        time.sleep(pause)
    return time.monotonic() - begun
