"""The first process of a container: it has the agent for a child, and ends with it.

The agent comes on the container's standard input, to which the harness is attached. If nothing comes, or the agent ends
as it does with its input, this process ends, and the kernel ends everything else in the container. Orphans are reaped
meanwhile.
"""

from __future__ import annotations

import os
import select
import signal
import sys

from harness.inside import loader

PATIENCE = 8.0
"""Seconds until something must have come."""


def main() -> None:
    """Wait for the agent, and for its end."""
    name_loopback()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    if not select.select([0], [], [], PATIENCE)[0]:
        sys.exit("the agent did not come")
    agent = os.fork()
    if agent == 0:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.setsid()
        loader.receive()
    while os.wait()[0] != agent:
        pass


def name_loopback() -> None:
    """Name what a container without a network has, as an engine does that gives it one (hosts(5))."""
    with open("/etc/hosts", "a") as names:
        if not names.tell():
            names.write("127.0.0.1\tlocalhost\n")
