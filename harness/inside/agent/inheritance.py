"""What a process that the agent has forked must not keep of the agent."""

from __future__ import annotations

import os
import signal

DESCRIPTORS = 65536
"""The most descriptors that the agent may have: enough for the sockets of any world, and few enough to close."""


def close_all_but(*kept: int) -> None:
    """Close every descriptor but these."""
    start = 0
    for descriptor in (*sorted(kept), DESCRIPTORS):
        if start < descriptor:  # an empty range means all of them to some versions of Python
            os.closerange(start, descriptor)
        start = descriptor + 1


def reset_signals() -> None:
    """Let signals do what they do by themselves."""
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGCHLD, signal.SIGPIPE, signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
