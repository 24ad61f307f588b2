"""What is mounted in the place, and nodes that are mounts."""

from __future__ import annotations

import re
import sys

from harness.inside.agent.outside import Outside
from harness.inside.libc import MS_BIND, MS_NODEV, MS_NOEXEC, MS_NOSUID, MS_RDONLY, MS_REMOUNT, mount

FLAGS = {"ro": MS_RDONLY, "nosuid": MS_NOSUID, "nodev": MS_NODEV, "noexec": MS_NOEXEC}
"""The options of a mount that take effect when all nodes are made."""


def mounted() -> dict[int, str]:
    """What is mounted, in the order of mounting: number and path (proc(5), mountinfo)."""
    if sys.platform != "linux":
        return {}
    found = {}
    for line in Outside.read("/proc/self/mountinfo").split("\n")[:-1]:
        fields = line.split(" ")
        found[int(fields[0])] = re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), fields[4])
    return found


def flags(options: list[str]) -> int:
    """What these options ask for."""
    return sum(FLAGS.get(option, 0) for option in options)


def change(path: str, wanted: int) -> None:
    """Give a mount these flags. Raises OSError."""
    mount(None, path, None, MS_REMOUNT | MS_BIND | wanted)


def source(path: str, options: list[str]) -> str:
    """What a bind mount at this path shows: the option `from=`, else what is at the path itself."""
    return next((option[len("from=") :] for option in options if option.startswith("from=")), path)
