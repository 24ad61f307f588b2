"""macOS: LOCAL_PEERCRED for the uid and the groups, LOCAL_PEERPID for the pid.

Source: sys/un.h, sys/ucred.h, unix(4), bsd/kern/uipc_usrreq.c (`uipc_ctloutput`). The numbers are written out
because CPython has no `socket.SOL_LOCAL`.
"""

from __future__ import annotations

import struct
import sys
from dataclasses import dataclass
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
LOCAL_PEERTOKEN = 6

_TOKEN = struct.Struct("8I")
"""`audit_token_t` of mach/message.h."""


@dataclass(frozen=True, slots=True)
class Token:
    """Which process last used the peer's socket: its pid, the version of that pid, which no other process has, and its
    effective uid now.
    """

    pid: int
    version: int
    uid: int


def peer_token(sock: socket.socket) -> Token | None:
    """The peer's audit token; `None` if it has none, or has gone.

    It is that of the process which last used the peer's socket (bsd/kern/uipc_usrreq.c, `uipc_ctloutput`); where in it
    what stands is in bsd/kern/kern_prot.c, `proc_calc_audit_token`.
    """
    if not is_unix(sock):
        return None
    data = ask(sock, SOL_LOCAL, LOCAL_PEERTOKEN, _TOKEN.size)
    if len(data) != _TOKEN.size:
        return None
    words = _TOKEN.unpack(data)
    return Token(words[5], words[7], words[1])


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
