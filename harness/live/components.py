"""A path of the live machine, component by component, as fstat(2) tells of it. Nothing is opened to be read.

Each component is held by a descriptor that gives no access (O_PATH), so that all that is told of it is told of one
thing, the next component is looked up in the directory that was looked at before, and a path may be longer than one
call takes. A process of its own looks, since a file system may never answer.
"""

from __future__ import annotations

import contextlib
import errno
import os
import posixpath
import stat
import sys
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Literal

from harness.inside.procfs import by_key
from harness.live.acl import read_acl
from harness.live.attributes import attributes_of
from harness.live.kernel_text import read_lines
from harness.live.limits import items_of_child
from harness.live.lookup import LINKS, PATH_ONLY
from harness.live.mounts import read_mounts
from harness.live.pid_namespace import number_here, numbers_in

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from harness.world import AclEntry

ComponentKind = Literal["directory", "socket", "file", "symlink"]
_KINDS: Final[Mapping[int, ComponentKind]] = {
    stat.S_IFDIR: "directory",
    stat.S_IFSOCK: "socket",
    stat.S_IFLNK: "symlink",
}
SECONDS: Final = 1.0
"""Time for all components of one path; a file system that takes longer counts as one that does not answer."""

_ENDS: Final = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP})
"""What a lookup that is over says: nothing is hidden there."""
_MAGIC: Final = frozenset({"root", "cwd", "exe"})
_MAGIC_FOLDERS: Final = frozenset({"fd", "map_files", "ns"})
"""The links of a process's folder that lead to a thing and not where their text says (proc_pid_get_link, fs/proc)."""
_SELF: Final = frozenset({"self", "thread-self"})


@dataclass(frozen=True, slots=True)
class Component:
    """One thing on the way.

    `path` is absolute with symlinks resolved up to it. What is no directory, socket or symlink counts as a file.
    `target` is a symlink's text. `acl` is None where the file system knows no such lists. `mount` and `inode` are what
    /proc/self/fdinfo tells of it (proc_pid_fdinfo(5)), where the kernel does. `process` is set where a link of that
    process's folder in /proc leads to it: its ptrace check was passed. `holder` is the process whose open files a
    directory of /proc lists. `attributes` are those of statx(2), such as that it is immutable.
    """

    path: str
    kind: ComponentKind
    status: os.stat_result
    acl: tuple[AclEntry, ...] | None
    target: str | None
    mount: int | None = None
    inode: int | None = None
    process: int | None = None
    holder: int | None = None
    attributes: int = 0


@dataclass(frozen=True, slots=True)
class Hidden:
    """A component that could not be looked at: its path, the errno, and its mount where the kernel told that."""

    path: str
    error: int
    mount: int | None = None
    process: int | None = None


@dataclass(frozen=True, slots=True)
class Sight:
    """What could be seen, and what not. `missing` is the path at which there is nothing, None where all was there.

    `end` is what the path names, there or not, with symlinks resolved; None where the lookup ends before.
    """

    components: tuple[Component, ...]
    hidden: Hidden | None
    missing: str | None = None
    end: str | None = None


@dataclass(frozen=True, slots=True)
class _End:
    """Where a walk ended that came to the path's last name."""

    path: str


def look(path: str, *, root: str = "/", follow: bool = True, pid: int | None = None) -> Sight:
    """Look at every component of an absolute path below a root directory, as far as there is something and we may.

    `follow` says whether a symlink at the path's very end is followed. `pid` is the process that /proc/self means,
    where it means one that we know. Raises OSError only where the root itself can't be opened.
    """
    seen: dict[str, Component] = {}
    reached = "/"
    end: str | None = None
    try:
        for item in items_of_child(lambda: _Walk(root, pid).to(path, follow=follow), SECONDS):
            if isinstance(item, Component):
                seen.setdefault(item.path, item)
            elif isinstance(item, Hidden):
                return Sight(tuple(seen.values()), item)
            elif isinstance(item, _End):
                end = item.path
            else:
                reached = item
    except TimeoutError:
        return Sight(tuple(seen.values()), Hidden(reached, errno.ETIMEDOUT))
    return Sight(tuple(seen.values()), None, None if reached in seen else reached, end)


@dataclass(frozen=True, slots=True)
class _Name:
    """An entry that the walk has gone into; `magic` if it was a link of /proc that leads to a thing."""

    text: str
    magic: bool = False


class _Walk:
    """Yields the path of each component before it is looked at, then the component; last its end or what is hidden."""

    def __init__(self, root: str, pid: int | None) -> None:
        self._root = root
        self._pid = pid
        self._here: list[_Name] = []
        self._mount: int | None = None
        self._proc: frozenset[int] | None = None
        self._directory = os.open(root, PATH_ONLY | os.O_DIRECTORY)

    def to(self, path: str, *, follow: bool) -> Iterator[str | Component | Hidden | _End]:
        with contextlib.suppress(OSError):
            yield self._look("/", self._directory)
        names = [name for name in path.split("/") if name not in {"", "."}][::-1]
        links = 0
        while names:
            name = names.pop()
            if name == ".." and not any(one.magic for one in self._here):
                if self._here:
                    self._here.pop()
                    self._reopen()
                continue
            here = posixpath.join("/", *(one.text for one in self._here), name)
            yield here
            self._mount = process = None
            try:
                if name == "..":
                    raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
                component = self._look(here, self._directory, name)
                process = self._process_of_link(component)
                if process is not None and (names or follow):
                    component = self._through_link(component, process)
                if component.kind == "symlink":
                    component = self._own(component)
                elif name == "fd" and self._is_proc(component):
                    component = replace(component, holder=self._number_here(len(self._here) - 1))
                yield component
                if component.kind == "symlink" and (names or follow or path.endswith("/")):
                    links += 1
                    if links > LINKS:
                        return
                    target = component.target or ""
                    names += [part for part in target.split("/") if part not in {"", "."}][::-1]
                    if target.startswith("/"):
                        self._here.clear()
                        self._reopen()
                elif component.kind == "directory":
                    self._enter(_Name(name, magic=process is not None))
                else:
                    if not names:
                        yield _End(here)
                    return
            except OSError as error:
                number = error.errno or errno.EIO
                if number not in _ENDS:
                    yield Hidden(here, number, self._mount, process)
                elif number == errno.ENOENT and not names:
                    yield _End(here)
                return
        yield _End(posixpath.join("/", *(one.text for one in self._here)))

    def _enter(self, name: _Name) -> None:
        flags = PATH_ONLY | os.O_DIRECTORY | (0 if name.magic else os.O_NOFOLLOW)
        inner = os.open(name.text, flags, dir_fd=self._directory)
        os.close(self._directory)
        self._directory = inner
        self._here.append(name)

    def _reopen(self) -> None:
        """Go to `_here` from the root, never through `..`, which could leave a root that is only a chroot."""
        names, self._here = self._here, []
        os.close(self._directory)
        self._directory = os.open(self._root, PATH_ONLY | os.O_DIRECTORY)
        for name in names:
            self._enter(name)

    def _look(self, path: str, directory: int, name: str = ".", *, follow: bool = False) -> Component:
        flags = PATH_ONLY | os.O_CLOEXEC | (0 if follow else os.O_NOFOLLOW)
        descriptor = os.open(name, flags, dir_fd=directory)
        try:
            self._mount, inode = _numbers(descriptor)
            status = self._status(descriptor)
            kind: ComponentKind = _KINDS.get(stat.S_IFMT(status.st_mode), "file")
            target = _text(descriptor, name) if kind == "symlink" else None
            acl = () if kind == "symlink" else read_acl(f"/proc/self/fd/{descriptor}")
            return Component(path, kind, status, acl, target, self._mount, inode, attributes=attributes_of(descriptor))
        finally:
            os.close(descriptor)

    def _status(self, descriptor: int) -> os.stat_result:
        try:
            return os.fstat(descriptor)
        except PermissionError:
            if not self._become_who_mounted():
                raise
            return os.fstat(descriptor)

    def _become_who_mounted(self) -> bool:
        """Look on as the only one whom a FUSE mount without allow_other lets in; root may become that one."""
        fuse = next((mount.fuse for mount in read_mounts() if mount.number == self._mount), None)
        if sys.platform != "linux" or fuse is None or os.geteuid() != 0:
            return False
        os.setgroups([])
        os.setresgid(fuse.gid, fuse.gid, fuse.gid)
        os.setresuid(fuse.uid, fuse.uid, fuse.uid)
        return True

    def _process_of_link(self, component: Component) -> int | None:
        """The process whose root directory, working directory or open file a link of /proc leads to."""
        if component.kind != "symlink" or not self._is_proc(component):
            return None
        texts = [one.text for one in self._here]
        folder = texts[:-1] if texts and texts[-1] in _MAGIC_FOLDERS else texts
        name = posixpath.basename(component.path)
        if name not in _MAGIC and folder == texts:
            return None
        numbers = [at for at, text in enumerate(folder) if text.isdecimal()]
        return self._number_here(numbers[-1]) if numbers else None

    def _through_link(self, link: Component, process: int) -> Component:
        """What such a link leads to, with the ptrace check that the kernel makes of us."""
        name = posixpath.basename(link.path)
        return replace(self._look(link.path, self._directory, name, follow=True), process=process)

    def _number_here(self, at: int) -> int | None:
        """Our number of the process whose folder in a /proc we have gone into, as so manieth name."""
        texts = [one.text for one in self._here]
        first = next(place for place, text in enumerate(texts) if text.isdecimal())
        return number_here(self._directory, "../" * (len(texts) - first), int(texts[at]))

    def _own(self, component: Component) -> Component:
        """/proc/self with the process that is meant, which is not the one that looks."""
        name = posixpath.basename(component.path)
        if name not in _SELF or not self._is_proc(component):
            return component
        if self._pid is None:
            raise OSError(errno.ESRCH, os.strerror(errno.ESRCH))
        process, thread = numbers_in(self._directory, self._pid)
        return replace(component, target=str(process) if name == "self" else f"{process}/task/{thread}")

    def _is_proc(self, component: Component) -> bool:
        if self._proc is None:
            known = [*read_mounts(), *([] if self._pid is None else read_mounts(str(self._pid)))]
            self._proc = frozenset(mount.number for mount in known if mount.filesystem == "proc")
        return component.mount in self._proc


def _text(descriptor: int, name: str) -> str:
    """A symlink's text. /proc/self has none for who has no number in that /proc's PID namespace."""
    try:
        return os.readlink("", dir_fd=descriptor)
    except FileNotFoundError:
        if name in _SELF:
            return ""
        raise


def _numbers(descriptor: int) -> tuple[int | None, int | None]:
    """The mount and the inode of what a descriptor is open on. Kernels before 5.14 do not tell the inode's number."""
    fields = by_key(read_lines(f"/proc/self/fdinfo/{descriptor}"))
    mount, inode = (fields.get(name) for name in (b"mnt_id", b"ino"))
    return None if mount is None else int(mount), None if inode is None else int(inode)
