"""The first process of a virtual machine: it mounts what every system has, and listens at the first serial line.

What follows this text in the machine's /init is `AGENT_BOOT`, which then reads the agent from there. One file,
the standard library alone. The kernel's own messages and errors go to the second serial line.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import queue
import socket
import struct
import sys
import threading
import tty

LIBC = ctypes.CDLL(None, use_errno=True)
MOUNTS = (
    ("proc", "/proc", "proc"),
    ("sysfs", "/sys", "sysfs"),
    ("devtmpfs", "/dev", "devtmpfs"),
    ("devpts", "/dev/pts", "devpts"),
    ("tmpfs", "/dev/shm", "tmpfs"),
)
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1  # linux/sockios.h, linux/if.h
HERE = b"\x05"
"""The byte that tells the other end of the line to begin: what it sent before would have been lost."""


def _mount(source: str, target: str, kind: str) -> None:
    os.makedirs(target, exist_ok=True)
    if LIBC.mount(source.encode(), target.encode(), kind.encode(), ctypes.c_ulong(0), None) != 0:
        code = ctypes.get_errno()
        if kind != "devtmpfs":  # the kernel may have done that by itself
            sys.exit(f"{target} could not be mounted: {os.strerror(code)}")


def _protect_links() -> None:
    """As systemd does at the boot of every Debian (sysctl.d, 50-default.conf): the kernel's own default is 0."""
    for name in ("protected_symlinks", "protected_hardlinks"):
        with open(f"/proc/sys/fs/{name}", "w", encoding="ascii") as setting:
            setting.write("1")


def _raise_loopback() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        asked = struct.pack("16sh14x", b"lo", 0)
        flags = struct.unpack("16sh14x", fcntl.ioctl(any_socket, SIOCGIFFLAGS, asked))[1]
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", flags | IFF_UP))


def _taken_at_once(line: int) -> int:
    """What comes on the line, as a pipe: a terminal loses what comes while nobody reads (tty_buffer.c: 64 KiB)."""
    inward, outward = os.pipe()
    waiting: queue.SimpleQueue[bytes] = queue.SimpleQueue()

    def take() -> None:
        while True:
            waiting.put(os.read(line, 1 << 16))

    def pass_on() -> None:
        while True:
            piece = waiting.get()
            while piece:
                piece = piece[os.write(outward, piece) :]

    for work in (take, pass_on):
        threading.Thread(target=work, daemon=True).start()
    return inward


def _main() -> None:
    os.chmod("/", 0o755)  # the kernel makes it with 1777
    for source, target, kind in MOUNTS:
        _mount(source, target, kind)
    _protect_links()
    _raise_loopback()
    line = os.open("/dev/ttyS0", os.O_RDWR | os.O_NOCTTY)
    errors = os.open("/dev/ttyS1", os.O_RDWR | os.O_NOCTTY)
    tty.setraw(line)
    os.dup2(line, 1)
    os.dup2(errors, 2)
    os.dup2(_taken_at_once(line), 0)
    os.environ.clear()
    os.write(1, HERE)


if __name__ == "__main__":
    _main()
