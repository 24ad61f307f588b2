"""End a server, its process group and all that descends from it at once, and wait until they are gone. Runs as root."""

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
    """Print how many processes there were, and how many are left, if only as zombies that nobody has waited for."""
    killed = set()
    until = time.monotonic() + seconds
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
    for each in tree(pid):
        killed.add(each)
        with contextlib.suppress(ProcessLookupError):
            os.kill(each, signal.SIGKILL)
    left = killed
    while left and time.monotonic() < until:
        time.sleep(PAUSE)
        left = {each for each in left if os.path.exists(f"/proc/{each}")}
    report: CrashReport = {"killed": len(killed), "left": len(left)}
    print(json.dumps(report))
