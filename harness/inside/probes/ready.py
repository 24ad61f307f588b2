"""Wait until a server answers, or has ended."""

from __future__ import annotations

import json
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
    endpoint: str, speaks: str, pid: int, seconds: float, meanwhile: Callable[[], None] | None = None
) -> str | None:
    """The endpoint that answers, or `None` if the server has ended or the time is over. `meanwhile` runs at each
    turn."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if meanwhile is not None:
            meanwhile()
        if ask(endpoint, speaks, "ready", 1.0).answered:
            return find(endpoint)
        if not alive(pid):
            return None
        time.sleep(PAUSE)
    return None


def main(endpoint: str, speaks: str, pid: int, seconds: float) -> None:
    """Print a `ReadyReport`."""
    answers = wait(endpoint, speaks, pid, seconds)
    report: ReadyReport = {"endpoint": answers, "alive": alive(pid)}
    print(json.dumps(report), flush=True)
