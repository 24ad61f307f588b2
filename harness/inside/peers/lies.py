"""Peers that say that they are others."""

from __future__ import annotations

import os
import socket
import struct
import sys

from harness.inside.peers.base import (
    MALLORY,
    UnplayableError,
    become,
    child,
    connect,
    ended,
    heard,
    myself,
    record,
    request,
    speak,
)


def claimed() -> None:
    """Say that one is somebody else, in the fields that are the server's."""
    become(MALLORY)
    record("claimed", myself())
    speak(connect(), "claimed", _peer_uid=0, _peer_gid=0, _peer_pid=1, _peer_groups=[0])


def forged() -> None:
    """Send credentials that are not the sender's: refused without a capability, and of no effect with one."""
    if sys.platform != "linux":
        raise UnplayableError("only Linux has credentials in messages that a sender fills in")
    lie = struct.pack("iII", os.getpid(), MALLORY, MALLORY)
    ancillary = [(socket.SOL_SOCKET, socket.SCM_CREDENTIALS, lie)]

    def mallory() -> None:
        become(MALLORY)
        sock = connect()
        root = [(socket.SOL_SOCKET, socket.SCM_CREDENTIALS, struct.pack("iII", os.getpid(), 0, 0))]
        try:
            sock.sendmsg([request("forged-without")], root)
        except PermissionError:
            record("forged-without", myself())
            speak(sock, "forged-without")
        else:
            raise AssertionError("the kernel let an ordinary user send root's credentials")

    ended(child(mallory))
    sock = connect()
    record("forged-with", myself())
    sock.sendmsg([request("forged-with")], ancillary)
    heard(sock)
