"""The socket on which a system call is made, as the process that makes it has it."""

from __future__ import annotations

import socket

from harness.inside.libc import copy_descriptor
from harness.inside.procfs import status_fields


def own_socket(thread: int, descriptor: int) -> socket.socket:
    """A copy of a thread's socket, of its family and type. Raises OSError, also for what is no socket."""
    return socket.socket(fileno=copy_descriptor(int(status_fields(thread)[b"Tgid"]), descriptor))
