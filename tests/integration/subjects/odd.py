"""Servers of people who thought of something else than a server usually does: `odd.py HOW PATH`."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import struct
import sys
import threading
from pathlib import Path


def bound(path: str, mode: int = 0o660) -> socket.socket:
    """A socket with its mode, whatever the umask is."""
    sock = socket.socket(socket.AF_UNIX)
    os.fchmod(sock.fileno(), mode)
    sock.bind(path)
    return sock


def one_after_the_other(path: str, least: int | None = None) -> None:
    """Answer each client with its uid before the next is accepted; `least` clients, or for ever."""
    sock = bound(path)
    sock.listen(64)
    while least is None or least > 0:
        client = sock.accept()[0]
        with client, contextlib.suppress(OSError):
            client.makefile("rb").readline()
            client.sendall(b"you are %d\n" % struct.unpack("3i", client.getsockopt(1, 17, 12))[1])
        least = None if least is None else least - 1


def dies_of_who_hangs_up(path: str) -> None:
    """As a program does that ignores no SIGPIPE."""
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    sock = bound(path)
    sock.listen(64)
    while True:
        client = sock.accept()[0]
        client.makefile("rb").readline()
        os.write(client.fileno(), b"hello\n")
        client.close()


def makes_its_directory(path: str) -> None:
    """And removes whatever bears its name there, whoever has made the directory."""
    os.umask(0o022)
    Path(path).parent.mkdir(exist_ok=True)
    Path(path).unlink(missing_ok=True)
    one_after_the_other(path)


def accepts_nobody(path: str) -> None:
    """Listen, and do something else."""
    sock = bound(path)
    sock.listen(0)
    threading.Event().wait()


def leaves_a_symlink(path: str) -> None:
    """The socket has another name."""
    Path(path).symlink_to(f"{path}.real")
    one_after_the_other(f"{path}.real")


def stops_its_parent(path: str) -> None:
    """Who waits for it is not to notice anything."""
    os.kill(os.getppid(), signal.SIGSTOP)
    one_after_the_other(path)


def says_goodbye(path: str) -> None:
    """To whatever it is asked."""
    sock = bound(path)
    sock.listen(64)
    while True:
        with sock.accept()[0] as client, contextlib.suppress(OSError):
            client.recv(100)
            client.sendall(b"bye\n")


KINDS = {
    "serial": one_after_the_other,
    "brief": lambda path: one_after_the_other(path, 3),
    "sigpipe": dies_of_who_hangs_up,
    "makes-its-directory": makes_its_directory,
    "accepts-nobody": accepts_nobody,
    "symlink": leaves_a_symlink,
    "stops-its-parent": stops_its_parent,
    "goodbye": says_goodbye,
}

if __name__ == "__main__":
    KINDS[sys.argv[1]](sys.argv[2])
