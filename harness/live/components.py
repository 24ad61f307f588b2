"""A path of the live machine, component by component, as lstat(2) tells of it. Nothing is opened but directories.

Each directory is held by a descriptor that gives no access (O_PATH), so that a component is looked up in the directory
that was looked at before, and a path may be longer than one call takes.
"""

from __future__ import annotations

import contextlib
import errno
import os
import posixpath
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from harness.live.acl import read_acl
from harness.live.kernel_text import read_lines
from harness.live.lookup import LINKS, PATH_ONLY

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.world import AclEntry

ComponentKind = Literal["directory", "socket", "file", "symlink"]
_KINDS: Final[Mapping[int, ComponentKind]] = {
    stat.S_IFDIR: "directory",
    stat.S_IFSOCK: "socket",
    stat.S_IFLNK: "symlink",
}


@dataclass(frozen=True, slots=True)
class OpenFile:
    """What /proc/self/fdinfo tells of a file that is held open (proc_pid_fdinfo(5)): its mount, its inode's number."""

    mount: int
    inode: int


@dataclass(frozen=True, slots=True)
class Component:
    """One thing on the way.

    `path` is absolute with symlinks resolved up to it. What is no directory, socket or symlink counts as a file.
    `target` is a symlink's text. `open_file` is what the kernel told of a socket, where it did.
    """

    path: str
    kind: ComponentKind
    status: os.stat_result
    acl: tuple[AclEntry, ...]
    target: str | None
    open_file: OpenFile | None = None


@dataclass(frozen=True, slots=True)
class Sight:
    """What could be seen. `hidden` is the first component that we were not allowed to look at."""

    components: tuple[Component, ...]
    hidden: str | None


def look(path: str, *, root: str = "/", follow: bool = True) -> Sight:
    """Look at every component of an absolute path below a root directory, as far as there is something and we may.

    `follow` says whether a symlink at the path's very end is followed. Raises OSError only where the root itself
    can't be opened.
    """
    walk = _Walk(root)
    try:
        return walk.to(path, follow=follow)
    finally:
        walk.close()


class _Walk:
    def __init__(self, root: str) -> None:
        self._root = root
        self._here: list[str] = []
        self._directory = self._open_root()
        self._seen: dict[str, Component] = {}

    def close(self) -> None:
        os.close(self._directory)

    def to(self, path: str, *, follow: bool) -> Sight:
        with contextlib.suppress(OSError):
            self._add("/", self._directory, ".")
        names = [name for name in path.split("/") if name not in {"", "."}][::-1]
        links = 0
        while names:
            name = names.pop()
            if name == "..":
                if self._here:
                    self._here.pop()
                    self._reopen()
                continue
            here = posixpath.join("/", *self._here, name)
            try:
                component = self._add(here, self._directory, name)
                if component.kind == "symlink" and (names or follow or path.endswith("/")):
                    links += 1
                    if links > LINKS:
                        break
                    target = component.target or ""
                    names += [part for part in target.split("/") if part not in {"", "."}][::-1]
                    if target.startswith("/"):
                        self._here.clear()
                        self._reopen()
                elif component.kind == "directory":
                    self._enter(name)
                else:
                    break
            except PermissionError:
                return Sight(tuple(self._seen.values()), here)
            except OSError as error:
                if error.errno in {errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP}:
                    break
                return Sight(tuple(self._seen.values()), here)
        return Sight(tuple(self._seen.values()), None)

    def _open_root(self) -> int:
        return os.open(self._root, PATH_ONLY | os.O_DIRECTORY)

    def _enter(self, name: str) -> None:
        inner = os.open(name, PATH_ONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=self._directory)
        os.close(self._directory)
        self._directory = inner
        self._here.append(name)

    def _reopen(self) -> None:
        """Go to `_here` from the root, never through `..`, which could leave a root that is only a chroot."""
        names, self._here = self._here, []
        os.close(self._directory)
        self._directory = self._open_root()
        for name in names:
            self._enter(name)

    def _add(self, path: str, directory: int, name: str) -> Component:
        status = os.stat(name, dir_fd=directory, follow_symlinks=False)
        kind: ComponentKind = _KINDS.get(stat.S_IFMT(status.st_mode), "file")
        target = os.readlink(name, dir_fd=directory) if kind == "symlink" else None
        acl = () if kind == "symlink" else read_acl(f"/proc/self/fd/{directory}/{name}")
        open_file = _open_file(directory, name) if kind == "socket" else None
        component = Component(path, kind, status, acl, target, open_file)
        self._seen.setdefault(path, component)
        return component


def _open_file(directory: int, name: str) -> OpenFile | None:
    """The numbers of a file that is only looked at. Kernels before 5.14 do not tell the inode's."""
    descriptor = os.open(name, PATH_ONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory)
    try:
        lines = read_lines(f"/proc/self/fdinfo/{descriptor}")
    finally:
        os.close(descriptor)
    fields = dict(line.split(b":\t", 1) for line in lines if b":\t" in line)
    if b"mnt_id" not in fields or b"ino" not in fields:
        return None
    return OpenFile(int(fields[b"mnt_id"]), int(fields[b"ino"]))
