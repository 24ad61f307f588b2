"""End a server and all that it started as a power failure would, and wait until they are gone. Runs as root."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import time

from harness.checks.probes.descriptors import tree
from harness.checks.probes.ready import PAUSE, alive


def main(pid: int, seconds: float) -> None:
    """Print how many processes there were, and whether any is left."""
    killed = set()
    until = time.monotonic() + seconds
    for each in tree(pid):
        killed.add(each)
        with contextlib.suppress(ProcessLookupError):
            os.kill(each, signal.SIGKILL)
    while any(alive(each) for each in killed) and time.monotonic() < until:
        time.sleep(PAUSE)
    print(json.dumps({"killed": len(killed), "left": sum(alive(each) for each in killed)}))
