"""End a server and all that it left running at once, and wait until they are gone. Runs as root."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import time
from typing import TYPE_CHECKING

from harness.inside.probes.ready import PAUSE
from harness.inside.procfs import tree

if TYPE_CHECKING:
    from harness.inside.reports import CrashReport


def main(pid: int, seconds: float) -> None:
    """Print how many processes there were below that of `harness.inside.supervisor`, and how many are left."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGCONT)  # a server may have stopped it
    killed: set[int] = set()
    until = time.monotonic() + seconds
    left = tree(pid)[1:]
    while left and time.monotonic() < until:
        for each in left:
            killed.add(each)
            with contextlib.suppress(ProcessLookupError):
                os.kill(each, signal.SIGKILL)
        time.sleep(PAUSE)
        left = tree(pid)[1:]
    report: CrashReport = {"killed": len(killed), "left": len(left)}
    print(json.dumps(report))
