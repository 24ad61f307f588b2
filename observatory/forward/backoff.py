"""How long to wait between two tries: twice as long each time, up to a limit, and from the start after a success."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Final

FIRST: Final = 0.2
"""Seconds from a failure to the next try."""
LONGEST: Final = 10.0
"""Seconds between two tries, at most."""


class Backoff:
    """The pauses between the tries of one thing: of reaching a server, a NATS or a collector."""

    def __init__(self) -> None:
        self._next = FIRST

    def reset(self) -> None:
        """It went well: the next pause is the first one again."""
        self._next = FIRST

    def seconds(self) -> float:
        """How long the next pause is; the one after it is longer."""
        pause = self._next
        self._next = min(2 * pause, LONGEST)
        return pause

    async def pause(self, stopping: asyncio.Event) -> None:
        """Wait for the next try, or until `stopping` is set."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stopping.wait(), self.seconds())
