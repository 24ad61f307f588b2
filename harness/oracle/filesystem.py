"""An immutable file system: inodes, names, mounts. A change gives another file system and leaves this one."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NamedTuple

from harness.world import ALLOW_OTHER
from harness.world.standard import STANDARD_DIRECTORIES, STANDARD_LINKS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from harness.world import AclEntry, InodeFlag, Node, SocketState, SocketType, World

ROOT_DIRECTORY = 0
"""The number of the root directory and of the mount that it heads."""


@dataclass(frozen=True, slots=True)
class Acl:
    """What an ACL says beyond the mode bits. The mask is the mode's group bits, so it is not repeated here."""

    users: tuple[tuple[int, int], ...]
    groups: tuple[tuple[int, int], ...]
    owning_group: int


@dataclass(frozen=True, slots=True)
class DefaultAcl:
    """What is made in a directory inherits: `mode` has the entries of owner, mask and others, `acl` the rest."""

    mode: int
    acl: Acl


@dataclass(frozen=True, slots=True)
class Inode:
    """A thing itself, whatever names lead to it. `deleted`: none does any more. `label`, `domain`: as of a node."""

    kind: Literal["directory", "socket", "file", "fifo", "symlink"]
    uid: int
    gid: int
    mode: int
    acl: Acl | None = None
    target: str = ""
    type: SocketType = "stream"
    state: SocketState = "listening"
    deleted: bool = False
    default: DefaultAcl | None = None
    flags: tuple[InodeFlag, ...] = ()
    label: str | None = None
    domain: str | None = None


@dataclass(frozen=True, slots=True)
class Fuse:
    """Who mounted a FUSE mount, and whether others are let in."""

    uid: int
    gid: int
    allow_other: bool


@dataclass(frozen=True, slots=True)
class MountedTree:
    """A file system, or a part of one, seen at some directory. `root` is the inode at its top.

    `source` is the path that it was mounted from, where it shows what is there.
    """

    root: int
    read_only: bool = False
    fuse: Fuse | None = None
    source: str | None = None
    no_execution: bool = False


class Spot(NamedTuple):
    """Where a path has led: an inode as seen through a mount, under a name, below another spot."""

    mount: int
    inode: int
    name: str
    above: Spot | None

    @property
    def path(self) -> str:
        """The absolute path without symlinks."""
        names: list[str] = []
        spot = self
        while spot.above is not None:
            names.append(spot.name)
            spot = spot.above
        return "/" + "/".join(reversed(names))

    @property
    def below_mount(self) -> str:
        """The path below the top of its mount."""
        names: list[str] = []
        spot = self
        while spot.above is not None and spot.above.mount == spot.mount:
            names.append(spot.name)
            spot = spot.above
        return "/".join(reversed(names))

    def child(self, name: str) -> str:
        """The absolute path of a name in this directory."""
        path = self.path
        return path + name if path == "/" else f"{path}/{name}"


@dataclass(frozen=True, slots=True)
class FileSystem:
    """Everything that a path can lead to. Numbers of inodes and mounts are keys without further meaning.

    `names` holds each directory's entries; `mounted` says which mount covers an inode seen through a mount;
    `abstract` the open sockets with abstract names, by name, type and network namespace; `through` the open sockets
    that were bound through a FUSE mount, by the mount and the path below it: another way to the same inode leads to
    another file of theirs. `domains` are those of abstract names' makers, `standard` the directories that are in each
    place.
    """

    inodes: Mapping[int, Inode]
    names: Mapping[int, Mapping[str, int]]
    mounts: tuple[MountedTree, ...]
    mounted: Mapping[tuple[int, int], int]
    abstract: Mapping[tuple[str, SocketType, str | None], SocketState]
    through: Mapping[tuple[int, str], SocketState] = field(default_factory=dict[tuple[int, str], "SocketState"])
    domains: Mapping[tuple[str, SocketType, str | None], str | None] = field(
        default_factory=dict[tuple[str, "SocketType", "str | None"], "str | None"]
    )
    standard: Mapping[int, str] = field(default_factory=dict[int, str])

    def root(self) -> Spot:
        """The root directory."""
        return self.covered(ROOT_DIRECTORY, ROOT_DIRECTORY, "", None)

    def covered(self, mount: int, inode: int, name: str, above: Spot | None) -> Spot:
        """The spot for an inode, or for what is mounted upon it."""
        while (mount, inode) in self.mounted:
            mount = self.mounted[mount, inode]
            inode = self.mounts[mount].root
        return Spot(mount, inode, name, above)

    def look(self, directory: Spot, name: str) -> Spot | None:
        """What a name in a directory leads to, or `None` if there is no such name."""
        inode = self.names[directory.inode].get(name)
        if inode is None:
            return None
        if not self.mounted:  # as in most worlds; a path of hundreds of names passes here for each of them
            return Spot(directory.mount, inode, name, directory)
        return self.covered(directory.mount, inode, name, directory)

    def frozen(self, spot: Spot) -> bool:
        """Whether nothing can be changed here: the mount is read-only."""
        return self.mounts[spot.mount].read_only

    def runs_nothing(self, spot: Spot) -> bool:
        """Whether no program is run from here: the mount is noexec."""
        return self.mounts[spot.mount].no_execution

    def fuse(self, spot: Spot) -> Fuse | None:
        """The FUSE mount that shows what is here."""
        return self.mounts[spot.mount].fuse

    def shown(self, spot: Spot) -> Inode:
        """The inode as its mount shows it: FUSE heeds no ACL (`fuse_get_inode_acl` in fs/fuse/acl.c)."""
        inode = self.inodes[spot.inode]
        return inode if self.fuse(spot) is None else dataclasses.replace(inode, acl=None)

    def state(self, spot: Spot) -> SocketState:
        """The state of the socket that was bound on what is here, by the way that leads here."""
        if self.fuse(spot) is None:
            return self.inodes[spot.inode].state
        return self.through.get((spot.mount, spot.below_mount), "stale")

    def with_state(self, spot: Spot, state: SocketState) -> FileSystem:
        """The same with another state of that socket."""
        if self.fuse(spot) is None:
            return self.with_inode(spot.inode, dataclasses.replace(self.inodes[spot.inode], state=state))
        return dataclasses.replace(self, through={**self.through, (spot.mount, spot.below_mount): state})

    def is_mount_point(self, inode: int) -> bool:
        """Whether anything is mounted upon this inode, seen from anywhere."""
        return any(point == inode for _, point in self.mounted)

    def with_inode(self, number: int, inode: Inode) -> FileSystem:
        """The same with one inode replaced."""
        return dataclasses.replace(self, inodes={**self.inodes, number: inode})

    def with_mount(self, number: int, mount: MountedTree) -> FileSystem:
        """The same with one mount replaced."""
        return dataclasses.replace(self, mounts=(*self.mounts[:number], mount, *self.mounts[number + 1 :]))

    def with_entry(self, directory: int, name: str, inode: Inode) -> FileSystem:
        """The same with a new inode under a name."""
        number = len(self.inodes)
        names = {**self.names, directory: {**self.names[directory], name: number}}
        if inode.kind == "directory":
            names[number] = {}
        return dataclasses.replace(self, inodes={**self.inodes, number: inode}, names=names)

    def without_entry(self, directory: Spot, name: str) -> FileSystem:
        """The same with a name gone."""
        return self._without(directory, name, None)

    def _without(self, directory: Spot, name: str, instead: str | None) -> FileSystem:
        """The same with a name gone, or moved to another path below the same FUSE mount."""
        number = directory.inode
        left = {known: inode for known, inode in self.names[number].items() if known != name}
        through = self.through
        if self.fuse(directory) is not None:  # its server knows things by their paths
            top = _joined(directory.below_mount, name)
            through = {}
            for (mount, path), state in self.through.items():
                if mount != directory.mount or not _within(path, top):
                    through[mount, path] = state
                elif instead is not None:
                    through[mount, instead + path[len(top) :]] = state
        return dataclasses.replace(self, names={**self.names, number: left}, through=through)

    def moved(self, directory: Spot, name: str, to_directory: Spot, to_name: str) -> FileSystem:
        """The same with a name given to its inode in another place, replacing what had it."""
        number, there = self.names[directory.inode][name], to_directory.inode
        replaced = self.names[there].get(to_name)
        left = self if replaced is None else self.without_entry(to_directory, to_name)
        left = left._without(directory, name, _joined(to_directory.below_mount, to_name))
        if replaced is not None:
            left = left.with_inode(replaced, dataclasses.replace(self.inodes[replaced], deleted=True))
        return dataclasses.replace(left, names={**left.names, there: {**left.names[there], to_name: number}})


def _joined(directory: str, name: str) -> str:
    return f"{directory}/{name}" if directory else name


def _within(path: str, top: str) -> bool:
    return path == top or path.startswith(f"{top}/")


def build(world: World) -> FileSystem:
    """The file system of a world when its nodes have been made and nobody has tried anything.

    The world must be complete and without problems (`harness.world.problems`).
    """
    builder = _Builder()
    for node in world.nodes:
        builder.add(world, node)
    return builder.done()


class _Builder:
    def __init__(self) -> None:
        self.inodes: dict[int, Inode] = {ROOT_DIRECTORY: Inode("directory", 0, 0, 0o755)}
        self.names: dict[int, dict[str, int]] = {ROOT_DIRECTORY: {}}
        self.mounts: list[MountedTree] = [MountedTree(ROOT_DIRECTORY)]
        self.mounted: dict[tuple[int, int], int] = {}
        self.abstract: dict[tuple[str, SocketType, str | None], SocketState] = {}
        self.through: dict[tuple[int, str], SocketState] = {}
        self.domains: dict[tuple[str, SocketType, str | None], str | None] = {}
        self.standard = {
            self.put(*self.parent(path)[1:], None, Inode("directory", 0, 0, mode)): path
            for path, mode in STANDARD_DIRECTORIES.items()
        }
        for path, target in STANDARD_LINKS.items():
            self.put(*self.parent(path)[1:], None, Inode("symlink", 0, 0, 0o777, target=target))

    def done(self) -> FileSystem:
        return FileSystem(
            self.inodes,
            self.names,
            tuple(self.mounts),
            self.mounted,
            self.abstract,
            self.through,
            self.domains,
            self.standard,
        )

    def add(self, world: World, node: Node) -> None:
        if node.path.startswith("@"):
            self.abstract[node.path, node.type, node.network] = node.state
            self.domains[node.path, node.type, node.network] = node.domain
        elif node.kind == "mount":
            self.mount(world, node)
        else:
            mount, directory, name = self.parent(node.path)
            number = self.names[directory].get(name)
            if node.kind == "absent":
                assert number is not None
                del self.names[directory][name]
                self.delete(number)
                return
            inode = self.inode(world, node)
            if self.mounts[mount].fuse is not None:
                self.through[mount, self.below(mount, node.path)] = node.state
                inode = dataclasses.replace(inode, state="stale")
            self.put(directory, name, number, inode)

    def delete(self, number: int) -> None:
        """What has no name any more, and all that is in it."""
        self.inodes[number] = dataclasses.replace(self.inodes[number], deleted=True)
        for inner in self.names.get(number, {}).values():
            self.delete(inner)
        if number in self.names:
            self.names[number] = {}

    def below(self, mount: int, path: str) -> str:
        """A path below the FUSE mount that shows it, upon which nothing else is mounted."""
        above = path
        while self.parent(above)[0] == mount:
            above = above.rpartition("/")[0]
        return path[len(above) + 1 :]

    def put(self, directory: int, name: str, number: int | None, inode: Inode) -> int:
        """Make an inode under a name, or give an implied directory what its node says of it."""
        if number is None:
            number = len(self.inodes)
            self.names[directory][name] = number
        self.inodes[number] = inode
        if inode.kind == "directory":
            self.names.setdefault(number, {})
        return number

    def inode(self, world: World, node: Node) -> Inode:
        """The inode that a node makes, or a mount's root."""
        assert node.kind != "absent"
        mode, acl = _permissions(world, node.mode, node.acl)
        default = _permissions(world, node.mode, node.default_acl)
        return Inode(
            kind="directory" if node.kind == "mount" else node.kind,
            uid=world.uid(node.owner),
            gid=world.gid(node.group),
            mode=mode,
            acl=acl,
            target=node.target or "",
            type=node.type,
            state=node.state,
            default=None if default[1] is None else DefaultAcl(default[0], default[1]),
            flags=node.flags,
            label=node.label,
            domain=node.domain,
        )

    def parent(self, path: str) -> tuple[int, int, str]:
        """Mount and inode of the directory that holds the path's last name; missing ones are made."""
        mount, directory = ROOT_DIRECTORY, ROOT_DIRECTORY
        *above, name = path.split("/")[1:]
        for part in above:
            mount, directory = self.step(mount, directory, part, "directory")
        return mount, directory, name

    def step(self, mount: int, directory: int, name: str, kind: Literal["directory", "file"]) -> tuple[int, int]:
        number = self.names[directory].get(name)
        if number is None:
            made = Inode(kind, 0, 0, 0o755 if kind == "directory" else 0o644)
            number = self.put(directory, name, None, made)
        while (mount, number) in self.mounted:
            mount = self.mounted[mount, number]
            number = self.mounts[mount].root
        return mount, number

    def mount(self, world: World, node: Node) -> None:
        above, directory, name = self.parent(node.path)
        fuse = None
        if node.source is not None:
            root = self.step(*self.parent(node.source), "directory")[1]
            if node.fs == "fuse":
                ids = world.uid(node.owner), world.gid(node.group)
                fuse = Fuse(*ids, allow_other=ALLOW_OTHER in node.options)
        else:
            root = len(self.inodes)
            self.inodes[root] = self.inode(world, node)
            self.names[root] = {}
        kind: Literal["directory", "file"] = "directory" if self.inodes[root].kind == "directory" else "file"
        point = self.step(above, directory, name, kind)
        self.mounted[point] = len(self.mounts)
        self.mounts.append(MountedTree(root, "ro" in node.options, fuse, node.source, "noexec" in node.options))


def _permissions(world: World, mode: int, entries: tuple[AclEntry, ...]) -> tuple[int, Acl | None]:
    """The mode bits and the ACL that a node's mode and such entries amount to."""
    if not entries:
        return mode, None
    owning_group = mode >> 3 & 7
    for entry in entries:
        if entry.who is None and entry.tag == "group":
            owning_group = entry.permissions
        elif entry.who is None:
            shift = {"user": 6, "mask": 3, "other": 0}[entry.tag]
            mode = mode & ~(7 << shift) | entry.permissions << shift
    users = ((world.uid(entry.who), entry.permissions) for entry in _named(entries, "user"))
    groups = ((world.gid(entry.who), entry.permissions) for entry in _named(entries, "group"))
    return mode, Acl(tuple(users), tuple(groups), owning_group)


def _named(entries: tuple[AclEntry, ...], tag: Literal["user", "group"]) -> Iterator[_Named]:
    for entry in entries:
        if entry.tag == tag and entry.who is not None:
            yield _Named(entry.who, entry.permissions)


class _Named(NamedTuple):
    who: str | int
    permissions: int
