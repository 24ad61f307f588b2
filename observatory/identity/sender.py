"""The process that opened a connection, its ancestors, and one of these held until it ends.

Linux holds a process by a pidfd (`observatory.identity.process`), macOS and FreeBSD by a queue of events
(`observatory.identity.queued_process`). Elsewhere nothing is known.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Final

from observatory.identity import queued_process
from observatory.identity.credentials import PeerCredentials, Unavailable
from observatory.identity.linux import peer_pidfd
from observatory.identity.process import OpenProcess, describe, open_ancestor

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from observatory.identity.process import Lineage, ProcessDetails

_BY_PIDFD: Final = sys.platform == "linux" and hasattr(os, "pidfd_open")
CAN_HOLD: Final = _BY_PIDFD or queued_process.HERE
"""Whether a process can be held here, so that its end is told."""

_NOTHING: Final = (None, None)


def sender(
    sock: socket.socket, peer: PeerCredentials, wanted: Callable[[ProcessDetails], bool]
) -> tuple[Lineage | None, OpenProcess | None]:
    """The sender and its ancestors, if they are proved, and the nearest ancestor that is wanted, each if it is known.

    To be asked while the sender waits for its answer: afterwards it may be gone.
    """
    try:
        if sys.platform == "linux":
            return _by_pidfd(sock, peer, wanted) if _BY_PIDFD else _NOTHING
        else:  # noqa: RET505 - what only other systems reach is not unreachable to a checker
            return queued_process.sender(sock, peer, wanted) if queued_process.HERE else _NOTHING
    except OSError:  # no descriptor left, or the sender is gone
        return _NOTHING


def hold_again(pid: int, started: int) -> OpenProcess | None:
    """A process that was held before, by its number and the time of its start; `None` if it has ended."""
    if sys.platform != "linux":
        return queued_process.hold_again(pid, started) if queued_process.HERE else None
    try:
        pidfd = os.pidfd_open(pid)
    except OSError:
        return None
    found = describe(pidfd)
    if found is not None and found.started == started:
        return OpenProcess(pidfd, found)
    os.close(pidfd)
    return None


def _by_pidfd(
    sock: socket.socket, peer: PeerCredentials, wanted: Callable[[ProcessDetails], bool]
) -> tuple[Lineage | None, OpenProcess | None]:
    if sys.platform != "linux":
        return _NOTHING
    hook = peer_pidfd(sock)
    proved = not isinstance(hook, Unavailable)
    if hook is Unavailable.OPTION and peer.pid is not None:
        hook = os.pidfd_open(peer.pid)
    if isinstance(hook, Unavailable):
        return _NOTHING
    try:
        read = open_ancestor(hook, wanted)
    finally:
        os.close(hook)
    if read is None:
        return _NOTHING
    lineage, found = read
    if lineage.process.pid != peer.pid:  # this process's /proc is that of another pid namespace, and so are its numbers
        if found is not None:
            found.close()
        return _NOTHING
    return lineage if proved else None, found
