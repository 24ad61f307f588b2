"""NetBSD: LOCAL_PEEREID. It tells no groups.

Source: sys/un.h (`struct unpcbid`), unix(4), sys/kern/uipc_usrreq.c (`unp_ctloutput`).
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from observatory.identity import layouts
from observatory.identity.credentials import UNKNOWN, PeerCredentials, known_id, known_pid
from observatory.identity.layouts import NETBSD_UNPCBID
from observatory.identity.sockets import ask, is_unix

if TYPE_CHECKING:
    import socket

    from observatory.identity.layouts import ByteOrder

SOL_LOCAL = 0
LOCAL_PEEREID = 3


def peer_credentials(sock: socket.socket) -> PeerCredentials | None:
    """Who opened the connection; `None` for a socket that is not a Unix socket. See `PeerCredentials`."""
    if not is_unix(sock):
        return None
    return parse(ask(sock, SOL_LOCAL, LOCAL_PEEREID, NETBSD_UNPCBID.size), sys.byteorder)


def parse(data: bytes, order: ByteOrder) -> PeerCredentials:
    """The credentials in an answer to LOCAL_PEEREID; all unknown if it is not of the structure's size."""
    members = layouts.parse(NETBSD_UNPCBID, data, order)
    if members is None:
        return UNKNOWN
    (pid,), (uid,), (gid,) = members["unp_pid"], members["unp_euid"], members["unp_egid"]
    return PeerCredentials(known_pid(pid), known_id(uid), known_id(gid), None)
