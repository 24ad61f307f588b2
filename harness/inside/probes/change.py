"""Wait until something else stands at a path, or a process has ended."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

from harness.inside.probes.listing import look
from harness.inside.probes.ready import PAUSE
from harness.inside.procfs import alive

if TYPE_CHECKING:
    from harness.inside.reports import ChangeReport


def main(path: str, inode: int, kind: str, pid: int, seconds: float) -> None:
    """Print `changed` and `alive` as they are when the first of the two happens, or when the time is over.

    Gone is not changed. A new file may get an old one's inode number, but only one of another kind does so here: a
    socket that somebody holds keeps its inode.
    """
    until = time.monotonic() + seconds
    changed, living = False, True
    while living and not changed and time.monotonic() < until:
        time.sleep(PAUSE)
        living = alive(pid)
        there = look(path)
        changed = there is not None and (there["inode"], there["kind"]) != (inode, kind)
    report: ChangeReport = {"changed": changed, "alive": living}
    print(json.dumps(report))
