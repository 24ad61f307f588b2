"""From a path to what it names: search permission, symlinks, mounts, `.` and `..`, and the limits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from harness.oracle.permission import SEARCH, Permission, permission
from harness.oracle.reasons import closed_to_others, not_allowed
from harness.world import policy

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from harness.oracle.filesystem import FileSystem, Spot
    from harness.oracle.rules import Layer, Rules
    from harness.world import Principal

STICKY, OTHERS_WRITE = 0o1000, 0o002

Sort = Literal["name", "dot", "dotdot", "root"]
_CLASSES: Mapping[str, str] = {
    "directory": "dir",
    "socket": "sock_file",
    "file": "file",
    "fifo": "fifo_file",
    "symlink": "lnk_file",
}
"""What SELinux calls the kinds of inodes (`inode_mode_to_security_class` in security/selinux/hooks.c)."""
_SORTS: Mapping[str, Sort] = {".": "dot", "..": "dotdot"}


class Refused(Exception):  # noqa: N818  the kernel's no, which is an answer here and no error
    """An attempt ends here: the errno's name, the path that decides, and why.

    `permission` is the answer that was no, and `spot` where what it was about was found. `layer` is what
    said no, by default that of the step.
    """

    def __init__(
        self,
        outcome: str,
        at: str,
        why: str,
        answer: Permission | None = None,
        spot: Spot | None = None,
        layer: Layer | None = None,
    ) -> None:
        super().__init__(outcome, at, why)
        self.outcome = outcome
        self.at = at
        self.why = why
        self.answer = answer
        self.spot = spot
        self.layer: Layer | None = layer


@dataclass(frozen=True, slots=True)
class Ending:
    """The last component of a path that creates, removes or renames: a name in a directory.

    `sort` is `name`, or what stands there instead of one: `dot`, `dotdot`, or `root` for a path of slashes alone.
    `slash`: whether slashes follow it. `above` is what `..` leads to there.
    """

    directory: Spot
    name: str
    sort: Sort
    slash: bool
    above: Spot

    @property
    def path(self) -> str:
        """The absolute path of what the last component names."""
        if self.sort == "name":
            return self.directory.child(self.name)
        return (self.above if self.sort == "dotdot" else self.directory).path


class Lookup:
    """A lookup by one principal in one file system.

    `top` is the principal's root directory, and `start` where relative paths begin.
    """

    __slots__ = ("links", "principal", "rules", "start", "system", "top")

    def __init__(self, system: FileSystem, principal: Principal, rules: Rules, top: Spot) -> None:
        self.system = system
        self.principal = principal
        self.rules = rules
        self.top = self.start = top
        self.links = 0

    def to(self, path: str, *, follow: bool) -> Spot:
        """What a path names; `follow` says whether a symlink at its very end is followed. Raises Refused."""
        self.links = 0
        spot, names, slash = self.begin(path, self.start)
        must_be_directory = False
        while True:
            if not names:
                return spot
            directory, name, last = spot, names.pop(), not names
            self.search(directory)
            must_be_directory |= last and slash and name not in {".", ".."}
            spot = self.step(directory, name)
            inode = self.system.inodes[spot.inode]
            if inode.kind == "symlink" and (not last or follow or must_be_directory):
                spot, more, slash_of_target = self.through(directory, spot, last)
                names.extend(more)
                slash = slash_of_target if last else slash
            elif inode.kind != "directory" and (not last or must_be_directory):
                raise Refused("ENOTDIR", spot.path, f"{spot.path} is a {inode.kind}, not a directory")

    def parent(self, path: str) -> Ending:
        """The directory and the name of a path's last component, which is neither followed nor looked at."""
        self.links = 0
        return self._parent(*self.begin(path, self.start))

    def ending(self, path: str) -> Ending:
        """The same, but a symlink that has the name is followed, as long as no slash comes after it."""
        ending = self.parent(path)
        while ending.sort == "name" and not ending.slash:
            link = self.system.look(ending.directory, ending.name)
            if link is None or self.system.inodes[link.inode].kind != "symlink":
                break
            ending = self._parent(*self.through(ending.directory, link, last=True))
        return ending

    def _parent(self, spot: Spot, names: list[str], slash: bool) -> Ending:
        if not names:
            return Ending(spot, "", "root", slash=True, above=spot)
        last = names[0]
        while len(names) > 1:
            directory, name = spot, names.pop()
            self.search(directory)
            spot = self.step(directory, name)
            inode = self.system.inodes[spot.inode]
            if inode.kind == "symlink":
                spot, more, _ = self.through(directory, spot, last=False)
                names.extend(more)
            elif inode.kind != "directory":
                raise Refused("ENOTDIR", spot.path, f"{spot.path} is a {inode.kind}, not a directory")
        self.search(spot)
        return Ending(spot, last, _SORTS.get(last, "name"), slash, self.step(spot, ".."))

    def begin(self, path: str, start: Spot) -> tuple[Spot, list[str], bool]:
        """Where a path or a symlink's text begins, its names with the next one last, and whether it ends in a slash."""
        names = [name for name in path.split("/") if name]
        names.reverse()
        return self.top if path.startswith("/") else start, names, path.endswith("/")

    def search(self, directory: Spot) -> None:
        """Every directory that a lookup passes must be searchable, the working directory too."""
        self.enter(directory)
        answer = permission(self.principal, self.system.shown(directory), SEARCH, self.rules)
        if not answer.granted:
            raise Refused("EACCES", directory.path, "", answer, directory)
        self.allow(directory, "search")

    def allow(self, spot: Spot, *permissions: str) -> None:
        """SELinux lets the process do this to what is here, after the kernel has (`inode_permission` in fs/namei.c)."""
        if self.principal.confined is None:
            return
        inode = self.system.inodes[spot.inode]
        self.ask(inode.label, _CLASSES[inode.kind], permissions, spot.path)

    def ask(self, label: str | None, kind: str, permissions: Iterable[str], at: str, what: str = "") -> None:
        """SELinux gives the process's domain these permissions to a type; what has none is open to all."""
        rules = None if self.principal.confined is None else self.principal.confined.selinux
        if rules is None or label is None:
            return
        lacking = policy.missing(rules, label, kind, permissions)
        if lacking:
            raise Refused("EACCES", at, not_allowed(lacking, label, kind, what or at), layer="SELinux")

    def enter(self, spot: Spot) -> None:
        """A FUSE mount lets in who has mounted it, and others only with allow_other: no capability counts.

        (`fuse_allow_current_process` in fs/fuse/dir.c.)
        """
        fuse = self.system.fuse(spot)
        if fuse is None or fuse.allow_other or (self.principal.uid, self.principal.gid) == (fuse.uid, fuse.gid):
            return
        raise Refused("EACCES", spot.path, closed_to_others(spot.path, fuse.uid, fuse.gid), spot=spot)

    def step(self, directory: Spot, name: str) -> Spot:
        """From a directory to what a name in it leads to."""
        if name == ".":
            return directory
        if name == "..":
            is_top = (directory.mount, directory.inode) == (self.top.mount, self.top.inode)
            return directory if is_top or directory.above is None else directory.above
        limit = self.rules.name_max
        long = len(name) > limit // 4 and len(name.encode(errors="surrogateescape")) > limit  # 4: UTF-8's longest
        if long and not self.system.inodes[directory.inode].deleted:
            raise Refused("ENAMETOOLONG", directory.child(name), f"a name may have {limit} bytes, this one has more")
        spot = None if long else self.system.look(directory, name)
        if spot is None:
            raise Refused("ENOENT", directory.child(name), f"there is nothing named {name} in {directory.path}")
        return spot

    def through(self, directory: Spot, link: Spot, last: bool) -> tuple[Spot, list[str], bool]:
        """Where a symlink's text begins, and its names."""
        self.links += 1
        if self.links > self.rules.symlinks:
            raise Refused(
                "ELOOP", link.path, f"this is one symlink more than the {self.rules.symlinks} that are followed"
            )
        if last and self.rules.protected_symlinks:
            self.protected(directory, link)
        self.allow(link, "read")
        return self.begin(self.system.inodes[link.inode].target, directory)

    def protected(self, directory: Spot, link: Spot) -> None:
        """fs.protected_symlinks: in /tmp and its like, only one's own or the directory owner's links are followed.

        Only the last component of a path is held to it (pick_link in fs/namei.c).
        """
        owner = self.system.inodes[link.inode].uid
        holder = self.system.inodes[directory.inode]
        open_to_all = holder.mode & (STICKY | OTHERS_WRITE) == STICKY | OTHERS_WRITE
        if open_to_all and owner not in {self.principal.uid, holder.uid}:
            raise Refused(
                "EACCES",
                link.path,
                f"the sysctl fs.protected_symlinks is on, {directory.path} is sticky and world-writable, and the link "
                f"belongs to uid {owner}, who is neither the follower nor the directory's owner",
                spot=link,
            )
