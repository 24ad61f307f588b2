"""Wait until a server answers, or has ended."""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING

from harness.inside.dialects import ask
from harness.inside.probes.endpoint import find
from harness.inside.procfs import alive

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.inside.reports import ReadyReport

PAUSE = 0.003
"""Seconds between two questions. A server of which we know only its socket has no other way to say that it is ready."""


def wait(
    endpoint: str, speaks: str, running: Callable[[], bool], seconds: float, meanwhile: Callable[[], None] | None = None
) -> str | None:
    """The endpoint that answers, or `None` if the server is not running or the time is over. `meanwhile` runs at each
    turn."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if meanwhile is not None:
            meanwhile()
        if ask(endpoint, speaks, "ready", 1.0).answered:
            return find(endpoint)
        if not running():
            return None
        time.sleep(PAUSE)
    return None


def main(endpoint: str, speaks: str, pid: int, seconds: float, after: str | None = None) -> None:
    """Print a `ReadyReport`. With `after`, nothing is asked before that path is there."""
    until = time.monotonic() + seconds
    while after is not None and not os.path.lexists(after) and alive(pid) and time.monotonic() < until:
        time.sleep(PAUSE)
    answers = wait(endpoint, speaks, lambda: alive(pid), max(until - time.monotonic(), 0))
    last = "accepted" if answers else ask(endpoint, speaks, "ready", 0.2).kind
    report: ReadyReport = {"endpoint": answers, "alive": alive(pid), "last": last}
    print(json.dumps(report), flush=True)
