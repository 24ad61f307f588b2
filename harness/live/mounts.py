"""What is mounted where, as one process sees it: /proc/PID/mountinfo (proc_pid_mountinfo(5))."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_ESCAPE = re.compile(r"\\([0-7]{3})")
OPTIONS = ("ro", "nosuid", "nodev", "noexec")
"""Those that a world knows, in the order in which mount(8) prints them."""


@dataclass(frozen=True, slots=True)
class MountPoint:
    """A mount: where, of which file system, with which of `OPTIONS`."""

    path: str
    filesystem: str
    options: tuple[str, ...]


def read_mounts(process: str = "self") -> tuple[MountPoint, ...]:
    """The mounts of a process; none where there is no such file."""
    try:
        return parse_mounts(Path(f"/proc/{process}/mountinfo").read_text("utf-8", "surrogateescape").splitlines())
    except OSError:
        return ()


def parse_mounts(lines: Iterable[str]) -> tuple[MountPoint, ...]:
    """Each line: ids, device, root, mount point, its options, tags, `-`, type, source, the file system's options.

    A mount counts as read-only if either it or its file system is. The first of several on one path is the lowest.
    """
    mounts: list[MountPoint] = []
    for line in lines:
        fields = line.split(" ")
        if "-" not in fields[6:]:
            continue
        after = fields.index("-", 6)
        if len(fields) < after + 4:
            continue
        options = set(fields[5].split(","))
        if "ro" in fields[after + 3].split(","):
            options.add("ro")
        mounts.append(
            MountPoint(
                _ESCAPE.sub(lambda match: chr(int(match[1], 8)), fields[4]),
                fields[after + 1],
                tuple(option for option in OPTIONS if option in options),
            )
        )
    return tuple(mounts)
