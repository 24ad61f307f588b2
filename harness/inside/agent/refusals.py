"""Which component of a path refused an attempt: found by trying the way there as the same principal, by no model."""

from __future__ import annotations

import errno
import os
import stat
import sys
from typing import TYPE_CHECKING

from harness.inside import errnos
from harness.inside.agent import confinement, flags

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

MAXSYMLINKS = 40 if sys.platform == "linux" else 32  # linux/namei.h; MAXSYMLINKS, sys/param.h
NAME_MAX, PATH_MAX = 255, 4096 if sys.platform == "linux" else 1024  # linux/limits.h; sys/syslimits.h
UNKNOWN = "unknown"
"""What refuses, where no trial can tell."""


class TriedPath:
    """A path walked component by component, by trying each step as this process.

    `refusal` is the errno of the first step that failed, or None; `at` is that component, or the object at the end;
    `route` leads to the same without any symlink. `links` are the symlinks that were followed, as routes and paths, and
    `last_links` those that were the last name of the path, or of such a link: fs.protected_symlinks asks for no other
    (WALK_TRAILING in fs/namei.c).
    """

    def __init__(self, path: str, cwd: str, follow: bool) -> None:
        self.links: list[tuple[str, str]] = []
        self.last_links: list[tuple[str, str]] = []
        self.at = "/" if path.startswith("/") else cwd
        self.route = "/" if path.startswith("/") else "."
        self.refusal = self._walk(path, follow)

    def _walk(self, path: str, follow: bool) -> str | None:
        slash = path.endswith("/")
        pending = [name for name in path.split("/")[::-1] if name]
        while pending:
            name = pending.pop()
            if name in (".", ".."):
                refusal = self.search()
                if refusal:
                    return refusal
                if name == "..":
                    self.route += "/.."
                    self.at = os.path.dirname(self.at)
                continue
            route, here = os.path.join(self.route, name), os.path.join(self.at, name)
            try:
                mode = os.lstat(route).st_mode
            except OSError as error:
                its_own = error.errno == errno.EACCES and self.search() is None  # as a mount of FUSE says
                if its_own or error.errno not in (errno.EACCES, errno.ENOTDIR):  # else it is the directory that refuses
                    self.at = here
                return errnos.name(error)
            if not stat.S_ISLNK(mode) or not (pending or follow or slash):
                self.route, self.at = route, here
                continue
            self.links.append((route, here))
            if not pending:
                self.last_links.append((route, here))
            if len(self.links) > MAXSYMLINKS:
                self.at = here
                return "ELOOP"
            target = os.readlink(route)
            if target.startswith("/"):
                self.at = self.route = "/"
            slash = slash or (target.endswith("/") and not pending)
            pending += [name for name in target.split("/")[::-1] if name]
        return self.search() if slash else None

    def search(self) -> str | None:
        """Whether what we have come to is a directory that may be searched: None, or the errno."""
        return _refused(os.stat, self.route + "/.")

    def is_deleted(self) -> bool:
        """Whether no name leads to it any more, where it is a directory."""
        try:
            return os.stat(self.route + "/.").st_nlink == 0
        except OSError:
            return False

    def link_that_refuses(self) -> str | None:
        """The first of the last links that may not be followed, though all that is behind it can be reached."""
        for route, here in self.last_links:
            if _refused(os.stat, route) == "EACCES":
                return here
        return None

    def link_may_refuse(self) -> bool:
        """Whether one of the last links lies where fs.protected_symlinks looks at its owner."""
        for route, _ in self.last_links:
            try:
                mode = os.stat(os.path.dirname(route)).st_mode
            except OSError:
                return True
            if mode & stat.S_ISVTX and mode & stat.S_IWOTH:
                return True
        return False


class TriedName:
    """A path's last name, for what makes, removes or moves names: the way to its directory, and what is there."""

    def __init__(self, path: str, cwd: str) -> None:
        parent, _, self.name = path.rstrip("/").rpartition("/")
        self.slash = path.endswith("/")
        self.directory = TriedPath(parent + "/" if parent or path.startswith("/") else "./", cwd, True)
        self.refusal = self.directory.refusal
        self.plain = self.name not in ("", ".", "..")
        above = os.path.dirname(self.directory.at) if self.name == ".." else self.directory.at
        self.at = os.path.join(above, self.name) if self.plain else above
        self.mode: int | None = None
        self.hidden = False
        try:
            self.mode = os.lstat(os.path.join(self.directory.route, self.name or ".")).st_mode
        except OSError as error:
            self.hidden = error.errno == errno.EACCES and self.refusal is None  # a mount of FUSE

    @property
    def is_directory(self) -> bool:
        """Whether there is a directory under that name."""
        return self.mode is not None and stat.S_ISDIR(self.mode)

    def writing(self) -> str | None:
        """What refuses a new entry in the directory: found by making a file without a name, which leaves no trace."""
        nameless = getattr(os, "O_TMPFILE", None)
        if nameless is None or confinement.opens_nothing():
            return UNKNOWN
        refusal = _refused(lambda: os.close(os.open(self.directory.route, nameless | os.O_WRONLY, 0o600)))
        return refusal if refusal in (None, "EACCES", "EPERM", "EROFS") else UNKNOWN

    @property
    def held(self) -> str | None:
        """What keeps the name where it is by a flag: the directory or the thing."""
        if flags.told(os.path.join(self.directory.route, ".")):
            return self.directory.at
        return self.at if flags.told(os.path.join(self.directory.route, self.name or ".")) else None


def refusing_component(
    operation: str, path: str, to: str | None, outcome: str, cwd: str, root: str | None, protected_symlinks: bool
) -> str | None:
    """Which component refused the attempt, found by trying the way there; None where no trial can tell.

    It is called as outside of the principal's root directory, but for a path that refuses by itself.
    """
    if confinement.entered and confinement.refuses(operation, outcome):
        return path
    if confinement.entered and confinement.has_policy():
        return None
    if path.startswith("@") or (outcome == "EINVAL" and operation in ("connect", "bind")):
        return path
    if outcome == "ENAMETOOLONG":
        for each in (path, to or ""):
            if len(os.fsencode(each)) >= PATH_MAX:
                return each
    at = _component(operation, path, to, outcome, cwd, protected_symlinks)
    return None if at is None else outside(at, root)


def outside(path: str, root: str | None) -> str:
    """A path below a root directory as it is called outside."""
    if root is None:
        return path
    return root if path == "/" else root.rstrip("/") + path


def _component(
    operation: str, path: str, to: str | None, outcome: str, cwd: str, protected_symlinks: bool
) -> str | None:
    if operation == "create":
        if outcome == "EACCES" and confinement.has_profile():
            return None
        return _refusing_file(TriedPath(path, cwd, True), path, outcome)
    entry = TriedName(path, cwd) if operation in ("bind", "mkdir", "unlink", "rename") else None
    walk = TriedPath(path, cwd, operation != "readlink") if entry is None else entry.directory
    if outcome == "EACCES" and protected_symlinks and entry is None and walk.last_links:
        link = None if walk.refusal else walk.link_that_refuses()
        if link is not None or walk.link_may_refuse():
            return link
    if walk.refusal:
        return walk.at if walk.refusal == outcome else None
    if entry is None:
        return walk.at
    if outcome == "EACCES" and confinement.has_profile():
        return None
    if operation == "rename":
        return _refusing_end(entry, TriedName(to or "", cwd), outcome)
    if outcome == "EPERM" and operation == "unlink":
        return entry.held or entry.at
    if outcome == "EPERM":
        return walk.at
    if outcome in ("EACCES", "EROFS"):
        writing = entry.writing()
        if confinement.takes_sockets() and writing is None:
            return walk.at  # files may be made there, so it is not the directory that refuses a socket
        return walk.at if writing == outcome else None
    if outcome == "ENOENT" and walk.is_deleted():
        return walk.at
    return entry.at


def _refusing_file(walk: TriedPath, path: str, outcome: str) -> str | None:
    """What refused to open or to make a file: what is there, or the directory in which it is not."""
    if walk.links and outcome == "EACCES":
        return None  # it may be a link, which is asked after before what it leads to
    if path.endswith("/") or outcome == "EISDIR" or (walk.refusal and walk.refusal not in (outcome, "ENOENT")):
        return None  # a slash after the name, or in the text of a symlink, is asked after first
    if walk.refusal == "ENOENT" and outcome != "ENOENT":
        return os.path.dirname(walk.at)
    return None if outcome == "ENOENT" else walk.at


def _refusing_end(source: TriedName, target: TriedName, outcome: str) -> str | None:
    """Which of a rename's ends refused, both of whose directories can be searched unless the second one says else."""
    if target.refusal:
        return target.directory.at if target.refusal == outcome else None
    if outcome in ("EXDEV", "EINVAL"):
        return source.at
    if source.hidden or target.hidden:
        return None
    if outcome in ("ENOTEMPTY", "EISDIR"):
        return target.at
    if outcome == "EBUSY":
        if source.plain and target.plain:
            return None  # one of them is a mount point, which a user can't see
        return target.at if source.plain else source.at
    if outcome == "ENAMETOOLONG":
        return target.at if len(os.fsencode(source.name)) <= NAME_MAX else source.at
    if outcome == "ENOENT":
        if source.mode is None:
            return source.directory.at if source.directory.is_deleted() else source.at
        return target.directory.at if target.directory.is_deleted() else None
    if outcome == "ENOTDIR":
        return target.at if source.is_directory else source.at
    if outcome == "EPERM":
        return None if target.mode is not None or source.held or target.held else source.at
    if confinement.takes_sockets() and source.mode is not None and stat.S_ISSOCK(source.mode):
        return None  # the directories are asked too, but after the domain
    if outcome in ("EACCES", "EROFS"):
        writings = (source.writing(), target.writing())
        if UNKNOWN in writings:
            return None
        for entry, refusal in zip((source, target), writings):
            if refusal == outcome:
                return entry.directory.at
        return source.at if outcome == "EACCES" and source.is_directory else None
    return None


def _refused(call: Callable[..., Any], *arguments: Any) -> str | None:
    try:
        call(*arguments)
    except OSError as error:
        return errnos.name(error)
    return None
