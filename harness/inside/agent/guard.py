"""The first process of a container: it waits for the agent to come, and ends with it.

The agent is started beside it and connects to it. If it doesn't come, or its connection ends as it does with the
process that holds it, this process ends, and the kernel ends everything else in the container. Orphans are reaped
meanwhile.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import struct
import sys

NAME = "\0harness-guard"
PATIENCE = 8.0
"""Seconds until the agent must have come."""


def main() -> None:
    """Wait for the agent, and for its end."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    signal.signal(signal.SIGCHLD, _reap)
    try:
        agent = _agent()
    except socket.timeout:  # noqa: UP041 - before Python 3.10 it is no TimeoutError
        sys.exit("the agent did not come")
    ended = select.poll()
    ended.register(agent, select.POLLIN)
    ended.poll()


def _agent() -> socket.socket:
    """The connection of the first process of root's that comes."""
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(NAME)
        door.listen()
        door.settimeout(PATIENCE)
        while True:
            agent, _ = door.accept()
            _, uid, _ = struct.unpack("iII", agent.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
            if uid == 0:
                return agent
            agent.close()


def _reap(*_: object) -> None:
    """Wait for every orphan that has ended."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass
