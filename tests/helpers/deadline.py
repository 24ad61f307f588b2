"""Waiting for what only asking tells."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable


PATIENCE: Final = 60.0
"""Seconds after which a test gives up, on a machine that may be busy."""
QUICK: Final = 8.0
"""Seconds in which one who behaves is served, on such a machine; what is given to one who does not, 10, is longer."""


def until(
    true: Callable[[], object], what: str | Callable[[], str], seconds: float = PATIENCE, pause: float = 0.02
) -> None:
    """Ask again and again until it is so. `what` tells what did not come to be."""
    begun = time.monotonic()
    while not true():
        waited = time.monotonic() - begun
        assert waited < seconds, f"not within {seconds} s: {what if isinstance(what, str) else what()}"
        time.sleep(pause)
