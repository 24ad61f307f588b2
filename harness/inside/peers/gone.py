"""The connector is gone when its words are read."""

from __future__ import annotations

import ctypes
import fcntl
import os
import signal
import socket
import struct
import termios
import time

from harness.inside import procfs
from harness.inside.libc import LIBC
from harness.inside.peers.base import (
    BOB,
    MALLORY,
    PATIENCE,
    UnservedError,
    as_user,
    become,
    checked,
    child,
    connect,
    ended,
    hand_over,
    handed_over,
    myself,
    record,
    request,
    say,
)

DEPARTED, SUCCEEDED = 1510, 1511
"""Users of one case each, so that a server which looks at some peers of a user only looks at these."""
CLONE3 = 435


def orphan(token: str, uid: int) -> tuple[socket.socket, int, bytes]:
    """A connection that has been accepted, of a process that has been collected, and what it has not said yet."""
    here, there = socket.socketpair()
    head, _, body = request(token).partition(b"\r\n\r\n")

    def connector() -> None:
        become(uid, groups=[2000])
        sock = connect()
        record(token, myself(process=None))
        sock.sendall(head)
        until = time.monotonic() + PATIENCE
        while unread(sock):
            if time.monotonic() > until:
                raise UnservedError("the server does not read what is said on a new connection")
            os.sched_yield()
        hand_over(there, sock)

    pid = child(connector)
    ended(pid)
    sock, _ = handed_over(here)
    return sock, pid, b"\r\n\r\n" + body


def unread(sock: socket.socket) -> int:
    """Bytes that the other end has not read yet (unix(7), SIOCOUTQ)."""
    (count,) = struct.unpack("i", fcntl.ioctl(sock, termios.TIOCOUTQ, bytes(4)))
    return int(count)


def dead() -> None:
    """The connector dies after its connection was accepted; the connection speaks on."""
    sock, _, rest = orphan("dead", DEPARTED)
    say(sock, rest)


def reused() -> None:
    """As before, and its number is another user's process by then."""
    sock, pid, rest = orphan("reused", SUCCEEDED)
    read, write = os.pipe()
    successor = fork_as(pid)
    if successor == 0:
        os.close(write)
        become(MALLORY)
        os.read(read, 1)
        os._exit(0)
    assert successor == pid
    say(sock, rest)
    os.close(write)
    ended(successor)


def fork_as(pid: int) -> int:
    """fork(2), but the child has this number (clone3(2), `set_tid`)."""
    wanted = ctypes.c_int(pid)
    words = [0, 0, 0, 0, signal.SIGCHLD, 0, 0, 0, ctypes.addressof(wanted), 1, 0]
    arguments = (ctypes.c_uint64 * len(words))(*words)
    return checked(LIBC.syscall(CLONE3, arguments, ctypes.sizeof(arguments)), f"clone3 for pid {pid}")


def early() -> None:
    """The server is stopped; connect, send an event, and die before the connection is accepted."""
    server = int(os.environ["SERVER"])
    os.kill(server, signal.SIGSTOP)
    while procfs.state(server) != "T":
        os.sched_yield()

    def bob() -> None:
        record("early", myself())
        connect().sendall(request("early"))

    as_user(BOB, bob)
    os.kill(server, signal.SIGCONT)
