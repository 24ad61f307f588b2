"""Wait until a server answers, or has ended."""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING

from harness.inside.dialects import ask
from harness.inside.probes.endpoint import find

if TYPE_CHECKING:
    from collections.abc import Callable

PAUSE = 0.003
"""Seconds between two questions. A server of which we know only its socket has no other way to say that it is ready."""


def alive(pid: int) -> bool:
    """Whether the process runs (a zombie does not)."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as stat:
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


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
    """Print the endpoint that answers, `null` if none does, and whether the process is alive."""
    answers = wait(endpoint, speaks, pid, seconds)
    print(json.dumps({"endpoint": answers, "alive": alive(pid), "uid": os.geteuid()}), flush=True)
