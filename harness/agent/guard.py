"""The first process of a container: it waits for the agent to come, and ends with it.

The agent is started beside it and makes itself known by SIGUSR1. If it doesn't come, or ends in whatever manner,
this process ends, and the kernel ends everything else in the container. Orphans are reaped meanwhile.
"""

from __future__ import annotations

import os
import select
import signal
import sys

PATIENCE = 8.0
"""Seconds until the agent must have come."""


def _main() -> None:
    signals = {signal.SIGUSR1, signal.SIGCHLD, signal.SIGTERM}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    came = signal.sigtimedwait({signal.SIGUSR1, signal.SIGTERM}, PATIENCE)
    if came is None or came.si_signo == signal.SIGTERM:
        sys.exit(1)
    agent = os.pidfd_open(came.si_pid)
    ended = select.poll()
    ended.register(agent, select.POLLIN)
    while not ended.poll(500):
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            pass


if __name__ == "__main__":
    _main()
