"""What is mounted where, as one process sees it: /proc/PID/mountinfo (proc_pid_mountinfo(5))."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.live.kernel_text import read_lines, unescaped_path

if TYPE_CHECKING:
    from collections.abc import Iterable

OPTIONS = ("ro", "nosuid", "nodev", "noexec")
"""Those that a world knows, in the order in which mount(8) prints them."""

DELETED = "//deleted"
"""What show_mountinfo() in fs/proc_namespace.c writes after a path that leads nowhere any more."""


@dataclass(frozen=True, slots=True)
class Fuse:
    """Who may use a mount of FUSE, and whether the kernel holds them to the modes (fuse_permission in fs/fuse/dir.c).

    Without `allow_other` that is who mounted it, and nobody else, not even root; without `default_permissions` the file
    system itself decides, and the modes are only shown.
    """

    uid: int
    gid: int
    allow_other: bool
    default_permissions: bool


@dataclass(frozen=True, slots=True)
class MountPoint:
    """A mount: where, of which file system, with which of `OPTIONS`.

    `number` is the mount's own, which /proc/PID/fdinfo names too; `device` is the file system's number in the kernel,
    which is not always the one that stat(2) shows. `root` is what of the file system is mounted: its path in there,
    which ends with `//deleted` where it has no name any more. `settings` are the file system's own options.
    """

    path: str
    filesystem: str
    options: tuple[str, ...]
    number: int
    device: int
    root: str = "/"
    source: str = ""
    settings: tuple[str, ...] = ()

    @property
    def fuse(self) -> Fuse | None:
        """The rules of a mount of FUSE."""
        if not self.filesystem.startswith("fuse") or self.filesystem == "fusectl":
            return None
        values = dict(setting.split("=", 1) for setting in self.settings if "=" in setting)
        uid, gid = (int(values.get(name, "0")) for name in ("user_id", "group_id"))
        return Fuse(uid, gid, "allow_other" in self.settings, "default_permissions" in self.settings)

    @property
    def deleted(self) -> bool:
        """Whether what is mounted has been deleted where it came from."""
        return self.root.endswith(DELETED)


def read_mounts(process: str = "self") -> tuple[MountPoint, ...]:
    """The mounts of a process. Raises OSError."""
    return parse_mounts(read_lines(f"/proc/{process}/mountinfo"))


def parse_mounts(lines: Iterable[bytes]) -> tuple[MountPoint, ...]:
    """Each line: ids, device, root, mount point, its options, tags, `-`, type, source, the file system's options.

    A mount counts as read-only if either it or its file system is. The first of several on one path is the lowest.
    """
    mounts: list[MountPoint] = []
    for line in lines:
        fields = line.split(b" ")
        if b"-" not in fields[6:]:
            continue
        after = fields.index(b"-", 6)
        if len(fields) < after + 4:
            continue
        options = set(fields[5].split(b","))
        if b"ro" in fields[after + 3].split(b","):
            options.add(b"ro")
        major, _, minor = fields[2].partition(b":")
        mounts.append(
            MountPoint(
                unescaped_path(fields[4]),
                unescaped_path(fields[after + 1]),
                tuple(option for option in OPTIONS if option.encode() in options),
                int(fields[0]),
                device_number(int(major), int(minor)),
                unescaped_path(fields[3]),
                unescaped_path(fields[after + 2]),
                tuple(os.fsdecode(option) for option in fields[after + 3].split(b",")),
            )
        )
    return tuple(mounts)


def device_number(major: int, minor: int) -> int:
    """A device's number in the kernel's own form, MKDEV of linux/kdev_t.h."""
    return major << 20 | minor


def device_of(status: os.stat_result) -> int:
    """The device that stat(2) shows of a file, in the kernel's own form."""
    return device_number(os.major(status.st_dev), os.minor(status.st_dev))
