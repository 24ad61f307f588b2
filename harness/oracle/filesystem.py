"""An immutable file system: inodes, names, mounts. A change gives another file system and leaves this one."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

from harness.world.standard import STANDARD_DIRECTORIES, STANDARD_LINKS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from harness.world import Node, SocketState, SocketType, World

ROOT_DIRECTORY = 0
"""The number of the root directory and of the mount that it heads."""


@dataclass(frozen=True, slots=True)
class Acl:
    """What an ACL says beyond the mode bits. The mask is the mode's group bits, so it is not repeated here."""

    users: tuple[tuple[int, int], ...]
    groups: tuple[tuple[int, int], ...]
    owning_group: int


@dataclass(frozen=True, slots=True)
class Inode:
    """A thing itself, whatever names lead to it."""

    kind: Literal["directory", "socket", "file", "symlink"]
    uid: int
    gid: int
    mode: int
    acl: Acl | None = None
    target: str = ""
    type: SocketType = "stream"
    state: SocketState = "listening"


@dataclass(frozen=True, slots=True)
class MountedTree:
    """A file system, or a part of one, seen at some directory. `root` is the inode at its top."""

    root: int
    read_only: bool = False


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

    def child(self, name: str) -> str:
        """The absolute path of a name in this directory."""
        path = self.path
        return path + name if path == "/" else f"{path}/{name}"


@dataclass(frozen=True, slots=True)
class FileSystem:
    """Everything that a path can lead to. Numbers of inodes and mounts are keys without further meaning.

    `names` holds each directory's entries; `mounted` says which mount covers an inode seen through a mount;
    `abstract` the open sockets with abstract names.
    """

    inodes: Mapping[int, Inode]
    names: Mapping[int, Mapping[str, int]]
    mounts: tuple[MountedTree, ...]
    mounted: Mapping[tuple[int, int], int]
    abstract: Mapping[tuple[str, SocketType], SocketState]

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

    def is_mount_point(self, inode: int) -> bool:
        """Whether anything is mounted upon this inode, seen from anywhere."""
        return any(point == inode for _, point in self.mounted)

    def with_inode(self, number: int, inode: Inode) -> FileSystem:
        """The same with one inode replaced."""
        return dataclasses.replace(self, inodes={**self.inodes, number: inode})

    def with_entry(self, directory: int, name: str, inode: Inode) -> FileSystem:
        """The same with a new inode, no directory, under a name."""
        number = len(self.inodes)
        names = {**self.names, directory: {**self.names[directory], name: number}}
        return dataclasses.replace(self, inodes={**self.inodes, number: inode}, names=names)

    def without_entry(self, directory: int, name: str) -> FileSystem:
        """The same with a name gone."""
        left = {known: inode for known, inode in self.names[directory].items() if known != name}
        return dataclasses.replace(self, names={**self.names, directory: left})

    def moved(self, directory: int, name: str, to_directory: int, to_name: str) -> FileSystem:
        """The same with a name given to its inode in another place, replacing what had it."""
        number = self.names[directory][name]
        left = self.without_entry(directory, name)
        names = {**left.names, to_directory: {**left.names[to_directory], to_name: number}}
        return dataclasses.replace(left, names=names)


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
        self.abstract: dict[tuple[str, SocketType], SocketState] = {}
        for path, mode in STANDARD_DIRECTORIES.items():
            self.put(*self.parent(path)[1:], None, Inode("directory", 0, 0, mode))
        for path, target in STANDARD_LINKS.items():
            self.put(*self.parent(path)[1:], None, Inode("symlink", 0, 0, 0o777, target=target))

    def done(self) -> FileSystem:
        return FileSystem(
            self.inodes,
            self.names,
            tuple(self.mounts),
            self.mounted,
            self.abstract,
        )

    def add(self, world: World, node: Node) -> None:
        if node.path.startswith("@"):
            self.abstract[node.path, node.type] = node.state
        elif node.kind == "mount":
            self.mount(world, node)
        else:
            _, directory, name = self.parent(node.path)
            number = self.names[directory].get(name)
            self.put(directory, name, number, self.inode(world, node))

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
        mode, acl = _permissions(world, node)
        return Inode(
            kind="directory" if node.kind == "mount" else node.kind,
            uid=world.uid(node.owner),
            gid=world.gid(node.group),
            mode=mode,
            acl=acl,
            target=node.target or "",
            type=node.type,
            state=node.state,
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
        if node.fs == "bind":
            source = next(option.removeprefix("from=") for option in node.options if option.startswith("from="))
            root = self.step(*self.parent(source), "directory")[1]
        else:
            root = len(self.inodes)
            self.inodes[root] = self.inode(world, node)
            self.names[root] = {}
        kind: Literal["directory", "file"] = "directory" if self.inodes[root].kind == "directory" else "file"
        point = self.step(above, directory, name, kind)
        self.mounted[point] = len(self.mounts)
        self.mounts.append(MountedTree(root, "ro" in node.options))


def _permissions(world: World, node: Node) -> tuple[int, Acl | None]:
    """The mode bits and the ACL that a node's `mode` and `acl` amount to."""
    if not node.acl:
        return node.mode, None
    mode, owning_group = node.mode, node.mode >> 3 & 7
    for entry in node.acl:
        if entry.who is None and entry.tag == "group":
            owning_group = entry.permissions
        elif entry.who is None:
            shift = {"user": 6, "mask": 3, "other": 0}[entry.tag]
            mode = mode & ~(7 << shift) | entry.permissions << shift
    users = ((world.uid(entry.who), entry.permissions) for entry in _named(node, "user"))
    groups = ((world.gid(entry.who), entry.permissions) for entry in _named(node, "group"))
    return mode, Acl(tuple(users), tuple(groups), owning_group)


def _named(node: Node, tag: Literal["user", "group"]) -> Iterator[_Named]:
    for entry in node.acl:
        if entry.tag == tag and entry.who is not None:
            yield _Named(entry.who, entry.permissions)


class _Named(NamedTuple):
    who: str | int
    permissions: int
