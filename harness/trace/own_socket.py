"""The socket on which a system call is made, as the process that makes it has it."""

from __future__ import annotations

import socket
from pathlib import Path

from harness.inside.libc import copy_descriptor


def own_socket(thread: int, descriptor: int) -> socket.socket:
    """A copy of a thread's socket, of its family and type. Raises OSError, also for what is no socket."""
    with Path(f"/proc/{thread}/status").open("rb") as file:
        process = next(int(line.split()[1]) for line in file if line.startswith(b"Tgid:"))
    return socket.socket(fileno=copy_descriptor(process, descriptor))
