"""The first process of a virtual machine: it mounts what every system has, and listens at the first serial line.

From there the agent comes, as any program does. The kernel's own messages and errors go to the second serial line.
"""

from __future__ import annotations

import os
import queue
import sys
import threading
import tty

from harness.inside import libc, loader
from harness.inside.loopback import raise_loopback

MOUNTS = (
    ("proc", "/proc", "proc"),
    ("sysfs", "/sys", "sysfs"),
    ("devtmpfs", "/dev", "devtmpfs"),
    ("devpts", "/dev/pts", "devpts"),
    ("tmpfs", "/dev/shm", "tmpfs"),
)
WHERE_THERE = (("securityfs", "/sys/kernel/security", "securityfs"), ("selinuxfs", "/sys/fs/selinux", "selinuxfs"))
"""What a kernel has that was told to ask security modules."""
HERE = b"\x05"
"""The byte that tells the other end of the line to begin: what it sent before would have been lost."""


def main() -> None:
    """Make the machine one like others, and go on with what comes on the line."""
    os.chmod("/", 0o755)  # the kernel makes it with 1777
    for source, target, kind in MOUNTS:
        _mount(source, target, kind)
    for source, target, kind in WHERE_THERE:
        if os.path.isdir(target):
            _mount(source, target, kind)
    _protect_links()
    raise_loopback()
    line = os.open("/dev/ttyS0", os.O_RDWR | os.O_NOCTTY)
    errors = os.open("/dev/ttyS1", os.O_RDWR | os.O_NOCTTY)
    tty.setraw(line)
    os.dup2(line, 1)
    os.dup2(errors, 2)
    os.dup2(_taken_at_once(line), 0)
    os.environ.clear()
    os.write(1, HERE)
    loader.receive()


def _mount(source: str, target: str, kind: str) -> None:
    os.makedirs(target, exist_ok=True)
    try:
        libc.mount(source, target, kind, 0)
    except OSError as error:
        if kind != "devtmpfs":  # the kernel may have done that by itself
            sys.exit(f"{target} could not be mounted: {error.strerror}")


def _protect_links() -> None:
    """As systemd does at the boot of every Debian (sysctl.d, 50-default.conf): the kernel's own default is 0."""
    for name in ("protected_symlinks", "protected_hardlinks"):
        with open(f"/proc/sys/fs/{name}", "w", encoding="ascii") as setting:
            setting.write("1")


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
