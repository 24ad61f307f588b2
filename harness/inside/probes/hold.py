"""Somebody opens many connections and keeps them. Says `held` when all are open; ends when its input ends."""

from __future__ import annotations

import json
import resource
import socket
import sys
import time
from typing import TYPE_CHECKING

from harness.inside import errnos
from harness.inside.dialects import dialect
from harness.inside.probes.endpoint import connect

if TYPE_CHECKING:
    from harness.inside.reports import HoldReport

PATIENCE = 0.2
"""Seconds for one connect: a full queue is a server that takes no more."""
ENOUGH = 20
"""Connects in a row that are refused before we believe that no more are to be had."""
QUIET = 2.0
"""Seconds without a new connection after which we stop: whoever takes no more does not refuse them either."""
LONGEST = 10.0
"""Seconds in which so many are opened as can be."""


def main(endpoint: str, speaks: str, count: int) -> None:
    """Print a `HoldReport` when all are open that are to be had."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = min(hard, count + 64) if hard != resource.RLIM_INFINITY else count + 64
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    held: list[socket.socket] = []
    failed, refusal, unfinished = 0, None, None
    begun = last = time.monotonic()
    while len(held) < count and failed < ENOUGH and unfinished is None:
        try:
            connection = connect(endpoint, PATIENCE)
        except OSError as error:
            failed, refusal = failed + 1, errnos.name(error)
        else:
            last = time.monotonic()
            held.append(connection)
            try:
                if connection.type == socket.SOCK_DGRAM:
                    connection.send(b"one of many")
                else:
                    dialect(speaks).begin(connection)
                failed = 0
            except OSError as error:
                failed, refusal = failed + 1, errnos.name(error)
        now = time.monotonic()
        if now - last > QUIET:
            unfinished = f"no more within {QUIET:.0f} s"
        elif now - begun > LONGEST:
            unfinished = f"{LONGEST:.0f} s were over"
    report: HoldReport = {
        "held": len(held),
        "refusal": refusal,
        "unfinished": unfinished if len(held) < count and failed < ENOUGH else None,
    }
    print(json.dumps(report), flush=True)
    sys.stdin.read()
