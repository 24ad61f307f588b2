"""FreeBSD: LOCAL_PEERCRED, with the pid in the structure since FreeBSD 13.

Source: sys/un.h, sys/ucred.h, unix(4), sys/kern/uipc_usrreq.c (`uipc_ctloutput`, `unp_copy_peercred`).
"""

from __future__ import annotations

import struct
import sys
from typing import TYPE_CHECKING

from observatory.identity import xucred
from observatory.identity.layouts import FREEBSD_XUCRED_32, FREEBSD_XUCRED_64
from observatory.identity.sockets import ask, is_unix

if TYPE_CHECKING:
    import socket

    from observatory.identity.credentials import PeerCredentials
    from observatory.identity.layouts import ByteOrder

SOL_LOCAL = 0
LOCAL_PEERCRED = 1

LAYOUTS = {4: FREEBSD_XUCRED_32, 8: FREEBSD_XUCRED_64}
"""By the size of a pointer."""

_POINTER = struct.calcsize("P")


def peer_credentials(sock: socket.socket) -> PeerCredentials | None:
    """Who opened the connection; `None` for a socket that is not a Unix socket. See `PeerCredentials`."""
    if not is_unix(sock):
        return None
    data = ask(sock, SOL_LOCAL, LOCAL_PEERCRED, LAYOUTS[_POINTER].size)
    return parse(data, _POINTER, sys.byteorder)


def parse(data: bytes, pointer: int, order: ByteOrder) -> PeerCredentials:
    """The credentials in an answer to LOCAL_PEERCRED, on a system whose pointers have `pointer` bytes."""
    return xucred.credentials(LAYOUTS[pointer], data, order)
