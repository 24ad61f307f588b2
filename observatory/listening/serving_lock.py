"""Whether a server of this user's serves at a path, known by a lock that it holds for as long as it does.

On a BSD kernel connect() says ECONNREFUSED of a dead server and of one whose queue is full alike (XNU:
bsd/kern/uipc_socket2.c, `sonewconn_internal`, and bsd/kern/uipc_usrreq.c, `unp_connect`; FreeBSD, OpenBSD and NetBSD:
`unp_connect` or `unp_connectat` of sys/kern/uipc_usrreq.c). So no errno is asked there. On Linux a full queue is
EAGAIN, and nothing of this is needed.

A killed server's lock ends with it and its file stays: that is what proves a socket dead.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import sys
from dataclasses import dataclass
from typing import Final

from observatory.errors import ObservatoryError
from observatory.listening.starting_lock import lock_file, remove_lock_file
from observatory.ownership import open_own_file

NEEDED: Final = sys.platform != "linux"
"""Whether this kernel's errno does not tell."""


@dataclass(frozen=True, slots=True)
class ServingLock:
    """The lock, held. `left`: its file was there, so a server that served here was killed."""

    name: str
    descriptor: int
    left: bool

    def release(self) -> None:
        """Serve no more: the file goes, and with it the lock."""
        remove_lock_file(self.name)
        os.close(self.descriptor)


def take(path: str) -> ServingLock | None:
    """Hold the lock of a path, under its starting lock; `None` if there is no place for one.

    Raises ObservatoryError if another server of this user's holds it.
    """
    name = lock_file(path)
    if name is None:
        return None
    name = f"{name.removesuffix('.lock')}.serving"
    left = os.path.lexists(name)
    try:
        descriptor = open_own_file(name, os.O_RDWR, make=True)
    except (ObservatoryError, OSError):
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise ObservatoryError(f"a server already listens on {path}") from None
    except OSError:  # no locks on this file system
        with contextlib.suppress(OSError):
            os.unlink(name)
        os.close(descriptor)
        return None
    return ServingLock(name, descriptor, left)
