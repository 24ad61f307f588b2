"""What is mounted in the place, and nodes that are mounts."""

from __future__ import annotations

import ctypes
import os
import struct
import sys

from harness.inside.agent.outside import Outside
from harness.inside.libc import (
    AT_FDCWD,
    LIBC,
    MS_BIND,
    MS_NODEV,
    MS_NOEXEC,
    MS_NOSUID,
    MS_RDONLY,
    MS_REC,
    MS_REMOUNT,
    mount,
)

FLAGS = {"ro": MS_RDONLY, "nosuid": MS_NOSUID, "nodev": MS_NODEV, "noexec": MS_NOEXEC}
"""The options of a mount that take effect when all nodes are made."""
STATVFS_FLAGS = {1: MS_RDONLY, 2: MS_NOSUID, 4: MS_NODEV, 8: MS_NOEXEC, 1024: 1024, 2048: 2048, 4096: 1 << 21}
"""statvfs(3)'s flags and the mount flags that keep them."""
MOUNT_SETATTR = 442
"""The number of mount_setattr(2), one on all architectures but alpha; its first attributes are numbered as MS_ are."""
AT_RECURSIVE = 0x8000
"""fcntl.h."""


def mounted() -> dict[int, str]:
    """What is mounted, in the order of mounting: number and path (proc(5), mountinfo)."""
    if sys.platform != "linux":
        return {}
    import re  # noqa: PLC0415 - each start of a place would wait for it

    found = {}
    for line in Outside.read("/proc/self/mountinfo").split("\n")[:-1]:
        fields = line.split(" ")
        found[int(fields[0])] = re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), fields[4])
    return found


def flags(options: list[str]) -> int:
    """What these options ask for."""
    return sum(FLAGS.get(option, 0) for option in options)


def restrict(path: str, wanted: int, *, recursive: bool = False) -> None:
    """Give a mount these flags beside those that it has; if asked, all that is mounted below it too. Raises OSError.

    Flags are only ever added: a mount that shows what is not the place's own must not lose `ro` by another option.
    """
    attributes = struct.pack("=QQQQ", wanted, 0, 0, 0)
    how = AT_RECURSIVE if recursive else 0
    done = LIBC.syscall(MOUNT_SETATTR, AT_FDCWD, os.fsencode(path), how, attributes, ctypes.c_size_t(len(attributes)))
    if done == 0:
        return
    # Before Linux 5.12 there is none: each mount by itself.
    for each in _from(path) if recursive else [path]:
        was = os.statvfs(each).f_flag
        kept = sum(flag for said, flag in STATVFS_FLAGS.items() if was & said)
        mount(None, each, None, MS_REMOUNT | MS_BIND | wanted | kept)


def protect_proc() -> None:
    """Make what /proc tells of the whole machine read-only, so that root can't change modes and settings there.

    A mode in there is the entry's own, on every mount that comes after (fs/proc/generic.c, proc_notify_change): what a
    world's root does to /proc/cpuinfo would be done to the machine's. Processes' directories stay as they are.
    """
    if os.stat("/proc/version").st_uid != 0:
        return  # the machine's root is nobody in this user namespace
    for name in os.listdir("/proc"):
        path = f"/proc/{name}"
        if not name.isdigit() and not os.path.islink(path):
            mount(path, path, None, MS_BIND | MS_REC)
            restrict(path, MS_RDONLY, recursive=True)


def shown_by(path: str) -> tuple[int, str]:
    """The mount that shows what is at this path: its number and where it is (0 and `/` where none is told)."""
    real = os.path.realpath(path)
    found = 0, "/"
    for number, at in mounted().items():
        if at in {"/", real} or real.startswith(f"{at}/"):
            found = number, at  # the later one covers the earlier
    return found


def source(path: str, options: list[str]) -> str:
    """What a bind mount at this path shows: the option `from=`, else what is at the path itself."""
    return next((option[len("from=") :] for option in options if option.startswith("from=")), path)


def _from(path: str) -> list[str]:
    """What is mounted at this path and below it, where nothing hides it."""
    real = os.path.realpath(path)
    below = [(number, at) for number, at in mounted().items() if at == real or at.startswith(f"{real}/")]
    return [at for number, at in below if shown_by(at)[0] == number]
