"""Asks a kernel what it knows, run inside a machine with `observatory` importable; prints one JSON object.

For each question `ok`, or the name of the errno that was the answer, or a word for what came instead.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import json
import os
import select
import socket
import sys
from typing import TYPE_CHECKING

from observatory.identity import Unavailable, linux

if TYPE_CHECKING:
    from collections.abc import Callable

assert sys.platform == "linux"

# asm-generic/socket.h and linux/pidfd.h; unistd_64.h of x86-64.
SO_PASSPIDFD, SO_PEERPIDFD, SO_PASSRIGHTS = 76, 77, 83
PIDFD_THREAD = os.O_EXCL
PIDFD_GET_INFO = 0xC040FF0B
SYS_PIDFD_OPEN, SYS_MOUNT_SETATTR, SYS_FCHMODAT2 = 434, 442, 452
AT_FDCWD = -100

LIBC = ctypes.CDLL(None, use_errno=True)


def called(number: int, *arguments: object) -> int:
    """A system call that the C library does not know yet. Raises OSError."""
    result: int = LIBC.syscall(ctypes.c_long(number), *arguments)
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def peer_of_a_child() -> socket.socket:
    """The accepted end of a connection whose connector has ended and was waited for."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("\0probe")
        listener.listen()
        child = os.fork()
        if child == 0:
            socket.socket(socket.AF_UNIX).connect("\0probe")
            os._exit(0)
        os.waitpid(child, 0)
        return listener.accept()[0]


def pidfd() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        os.close(ours.getsockopt(socket.SOL_SOCKET, SO_PEERPIDFD))


def pidfd_of_the_dead() -> str:
    with peer_of_a_child() as accepted:
        descriptor = accepted.getsockopt(socket.SOL_SOCKET, SO_PEERPIDFD)
        ended = bool(select.select([descriptor], [], [], 0)[0])
        os.close(descriptor)
        return "a handle that has ended" if ended else "a handle that lives"


def groups() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.getsockopt(socket.SOL_SOCKET, 59, 1024)


def passing(option: int) -> None:
    with socket.socket(socket.AF_UNIX) as any_socket:
        any_socket.setsockopt(socket.SOL_SOCKET, option, 1)


def thread_pidfd() -> None:
    os.close(called(SYS_PIDFD_OPEN, ctypes.c_int(os.getpid()), ctypes.c_uint(PIDFD_THREAD)))


def process_info() -> None:
    descriptor = os.pidfd_open(os.getpid())
    fcntl.ioctl(descriptor, PIDFD_GET_INFO, bytearray(64))
    os.close(descriptor)


def mount_setattr() -> None:
    called(SYS_MOUNT_SETATTR, ctypes.c_int(AT_FDCWD), b"/proc", ctypes.c_uint(0), bytes(32), ctypes.c_size_t(32))


def fchmodat2() -> None:
    os.symlink("/", "/tmp/link")
    try:
        at_symlink_nofollow = 0x100
        called(
            SYS_FCHMODAT2, ctypes.c_int(AT_FDCWD), b"/tmp/link", ctypes.c_uint(0o777), ctypes.c_int(at_symlink_nofollow)
        )
    finally:
        os.unlink("/tmp/link")


def ours_of_the_living() -> str:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        return made_of(ours)


def ours_of_the_dead() -> str:
    with peer_of_a_child() as accepted:
        return made_of(accepted)


def made_of(sock: socket.socket) -> str:
    """What observatory's own code makes of the option."""
    found = linux.peer_pidfd(sock)
    if isinstance(found, Unavailable):
        return found.name
    os.close(found)
    return "ok"


QUESTIONS: dict[str, Callable[[], str | None]] = {
    "SO_PEERPIDFD": pidfd,
    "SO_PEERPIDFD of a reaped peer": pidfd_of_the_dead,
    "observatory's peer_pidfd": ours_of_the_living,
    "observatory's peer_pidfd of a reaped peer": ours_of_the_dead,
    "SO_PEERGROUPS": groups,
    "SO_PASSPIDFD": lambda: passing(SO_PASSPIDFD),
    "SO_PASSRIGHTS": lambda: passing(SO_PASSRIGHTS),
    "PIDFD_THREAD": thread_pidfd,
    "PIDFD_GET_INFO": process_info,
    "mount_setattr": mount_setattr,
    "fchmodat2 on a symlink": fchmodat2,
}


def answer(question: Callable[[], str | None]) -> str:
    try:
        return question() or "ok"
    except OSError as error:
        return errno.errorcode[error.errno or 0]


def main() -> None:
    """Print what the kernel says to each question."""
    print(json.dumps({name: answer(question) for name, question in QUESTIONS.items()}))
