"""macOS: LOCAL_PEERCRED for the uid and the groups, LOCAL_PEERPID for the pid.

Source: sys/un.h, sys/ucred.h, unix(4), bsd/kern/uipc_usrreq.c (`unp_ctloutput`). The numbers are written out
because CPython has no `socket.SOL_LOCAL`.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from observatory.identity import xucred
from observatory.identity.credentials import PeerCredentials, known_pid
from observatory.identity.layouts import MACOS_XUCRED
from observatory.identity.sockets import ask, is_unix

if TYPE_CHECKING:
    import socket

    from observatory.identity.layouts import ByteOrder

SOL_LOCAL = 0
LOCAL_PEERCRED = 1
LOCAL_PEERPID = 2


def peer_credentials(sock: socket.socket) -> PeerCredentials | None:
    """Who opened the connection; `None` for a socket that is not a Unix socket. See `PeerCredentials`.

    The pid is weaker than the rest: this kernel reports the process that *last used* the peer's socket, and
    nothing once the peer has closed it.
    """
    if not is_unix(sock):
        return None
    return parse(
        ask(sock, SOL_LOCAL, LOCAL_PEERCRED, MACOS_XUCRED.size),
        ask(sock, SOL_LOCAL, LOCAL_PEERPID, 4),
        sys.byteorder,
    )


def parse(xucred_bytes: bytes, pid_bytes: bytes, order: ByteOrder) -> PeerCredentials:
    """The credentials in the answers to LOCAL_PEERCRED and LOCAL_PEERPID; empty bytes for no answer."""
    seen = xucred.credentials(MACOS_XUCRED, xucred_bytes, order)
    pid = int.from_bytes(pid_bytes, order, signed=True) if len(pid_bytes) == 4 else 0
    return PeerCredentials(known_pid(pid), seen.uid, seen.gid, seen.groups)
