"""Wait until something else stands at a path, or a process has ended."""

from __future__ import annotations

import json
import os
import time

from harness.checks.probes.ready import PAUSE, alive


def main(path: str, inode: int, pid: int, seconds: float) -> None:
    """Print `changed` and `alive` as they are when the first of the two happens, or when the time is over."""
    until = time.monotonic() + seconds
    changed, living = False, True
    while living and not changed and time.monotonic() < until:
        time.sleep(PAUSE)
        living = alive(pid)
        try:
            changed = os.lstat(path).st_ino != inode
        except FileNotFoundError:
            changed = False
    print(json.dumps({"changed": changed, "alive": living}))
