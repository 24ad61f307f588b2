"""Processes of macOS and FreeBSD: read by number, and held by a kqueue(2) that tells of their end.

EVFILT_PROC with NOTE_EXIT (XNU: bsd/kern/kern_event.c, `filt_procattach`; FreeBSD: sys/kern/kern_event.c, the same) is
bound to the process and not to its number, so that what is read by number while the queue is silent is of that process.
A queue is itself a descriptor that can be read once something is in it. Any process that can be seen can be held.

On macOS the sender is proved: LOCAL_PEERTOKEN tells its pid with the pid's version, which no other process has, before
and after all was read. On FreeBSD its pid is the connector's, whose reuse is not excluded, as on Linux before 6.5.
"""

from __future__ import annotations

import select
import struct
import sys
from typing import TYPE_CHECKING, Final

from observatory.identity import freebsd_process, macos, macos_process
from observatory.identity.process import LONGEST_CHAIN, Lineage, OpenProcess, alive

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from observatory.identity.credentials import PeerCredentials
    from observatory.identity.process import ProcessDetails

_MACOS: Final = sys.platform == "darwin"
HERE: Final = _MACOS or (sys.platform.startswith("freebsd") and struct.calcsize("P") == 8)
"""Whether this is a system whose processes are known so."""


def sender(
    sock: socket.socket, peer: PeerCredentials, wanted: Callable[[ProcessDetails], bool]
) -> tuple[Lineage | None, OpenProcess | None]:
    """As `observatory.identity.sender.sender`. Raises OSError."""
    token = macos.peer_token(sock) if _MACOS else None
    pid = peer.pid if token is None else token.pid
    if pid is None or (_MACOS and (token is None or token.uid != peer.uid)):
        return None, None
    climbed = _climb(pid)
    if climbed is None:
        return None, None
    process, chain = climbed
    proved = token is not None and macos.peer_token(sock) == token
    found = next((link for link in chain if wanted(link.details)), None) if proved or not _MACOS else None
    for link in chain:
        if link is not found:
            link.close()
    return Lineage(process, tuple(link.details for link in chain)) if proved else None, found


def hold_again(pid: int, started: int) -> OpenProcess | None:
    """As `observatory.identity.sender.hold_again`."""
    held = _hold(pid)
    if held is not None and held.details.started != started:
        held.close()
        return None
    return held


def _climb(pid: int) -> tuple[ProcessDetails, list[OpenProcess]] | None:
    """A process and the chain of its ancestors, all of which lived at the same moment, each held.

    A link is proved as on Linux (`observatory.identity.process`): the child's parent is read again when that is held.
    """
    child = _hold(pid)
    if child is None:
        return None
    chain = [child]
    while (parent := chain[-1].details.parent) is not None and len(chain) <= LONGEST_CHAIN:
        held = _hold(parent)
        if held is None:
            break
        again = _read(chain[-1].details.pid)
        if again is None or again.parent != parent:
            held.close()
            break
        chain.append(held)
    living = 0
    while living < len(chain) and alive(chain[living].descriptor):
        living += 1
    for link in [chain[0], *chain[max(living, 1) :]]:
        link.close()
    return (child.details, chain[1:living]) if living else None


def _hold(pid: int) -> OpenProcess | None:
    """A living process, read after it was held; `None` if there is none of this number, or it may not be seen."""
    if sys.platform != "win32" and sys.platform != "linux":
        queue = select.kqueue()
        try:
            queue.control([select.kevent(pid, select.KQ_FILTER_PROC, select.KQ_EV_ADD, select.KQ_NOTE_EXIT)], 0)
        except OSError:
            queue.close()
            return None
        details = _read(pid)
        if details is not None and alive(queue.fileno()):
            return OpenProcess(queue.fileno(), details, queue)
        queue.close()
    return None


def _read(pid: int) -> ProcessDetails | None:
    return macos_process.read(pid) if _MACOS else freebsd_process.read(pid)
