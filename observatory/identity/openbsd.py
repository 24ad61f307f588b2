"""OpenBSD: SO_PEERCRED, which is another number and another order of members than Linux's. It tells no groups.

Source: sys/socket.h (`struct sockpeercred`), getsockopt(2), sys/kern/uipc_socket.c (`sogetopt`).
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from observatory.identity import layouts
from observatory.identity.credentials import UNKNOWN, PeerCredentials, known_id, known_pid
from observatory.identity.layouts import OPENBSD_SOCKPEERCRED
from observatory.identity.sockets import ask, is_unix

if TYPE_CHECKING:
    import socket

    from observatory.identity.layouts import ByteOrder

SOL_SOCKET = 0xFFFF
SO_PEERCRED = 0x1022


def peer_credentials(sock: socket.socket) -> PeerCredentials | None:
    """Who opened the connection; `None` for a socket that is not a Unix socket. See `PeerCredentials`."""
    if not is_unix(sock):
        return None
    return parse(ask(sock, SOL_SOCKET, SO_PEERCRED, OPENBSD_SOCKPEERCRED.size), sys.byteorder)


def parse(data: bytes, order: ByteOrder) -> PeerCredentials:
    """The credentials in an answer to SO_PEERCRED; all unknown if it is not of the structure's size."""
    members = layouts.parse(OPENBSD_SOCKPEERCRED, data, order)
    if members is None:
        return UNKNOWN
    (uid,), (gid,), (pid,) = members["uid"], members["gid"], members["pid"]
    return PeerCredentials(known_pid(pid), known_id(uid), known_id(gid), None)
