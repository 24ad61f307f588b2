"""The users and nodes of drawn worlds."""

from __future__ import annotations

import dataclasses
import posixpath
from typing import TYPE_CHECKING, Final, Literal

from harness.world.model import ALLOW_OTHER, AclEntry, InodeFlag, Node, SocketState, SocketType, User, World

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.world.drawing.dice import Dice

Sort = Literal["socket", "directory", "file", "fifo", "symlink", "mount", "abstract", "absent", "deleted"]
_Aim = Literal["absolute", "sibling", "up", "here", "missing", "itself", "root"]
_Entry = Literal["user", "group", "owning group", "mask"]

DEPTH: Final = 6
"""How many names a node's path has at most."""
NAMES: Final = ("a", "b", "s", "d", "link", "é")
CAPABILITIES: Final = ("CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_FOWNER", "CAP_FSETID", "CAP_CHOWN")
DIRECTORY_MODES: Final = (0o755, 0o711, 0o777, 0o1777, 0o750, 0o770, 0o2775, 0o3777, 0o1770, 0o700, 0o733, 0o705, 0o070)
OBJECT_MODES: Final = (0o666, 0o660, 0o600, 0o777, 0o755, 0o222, 0o606, 0o444, 0o440, 0o066, 0o602, 0o020, 0o000)
FILE_MODES: Final = (0o644, 0o755, 0o666, 0o600, 0o711, 0o4755, 0o2755, 0o6711, 0o2644, 0o6640, 0o222, 0o050, 0o000)
MISSING: Final = "nothing"
NETWORK: Final = "other"

_UIDS: Mapping[int, int] = {1001: 3, 1002: 2, 1003: 1, 0: 1}
SORTS: Mapping[Sort, int] = {
    "socket": 6,
    "directory": 10,
    "file": 4,
    "fifo": 1,
    "symlink": 6,
    "mount": 5,
    "abstract": 2,
    "absent": 1,
    "deleted": 1,
}
"""How often each sort of node is drawn; `deleted` is a directory that is taken away, and seen through a mount still."""

_FLAGS: tuple[tuple[InodeFlag, ...], ...] = (("immutable",), ("append-only",), ("immutable", "append-only"))
TYPES: Mapping[SocketType, int] = {"stream": 6, "dgram": 1, "seqpacket": 1}
_STATES: Mapping[SocketState, int] = {"listening": 6, "stale": 2, "bound": 2, "full": 2}
_ENTRIES: Mapping[_Entry, int] = {"user": 4, "group": 4, "owning group": 2, "mask": 1}
_AIMS: Mapping[_Aim, int] = {
    "absolute": 4,
    "sibling": 4,
    "up": 1,
    "here": 3,
    "missing": 3,
    "itself": 1,
    "root": 1,
}


def user_by(dice: Dice, name: str, gids: tuple[int, ...]) -> User:
    """A user with an uid that others may have too, and with some of these groups, of root's and of its own."""
    gids = (*gids, 0)
    uid = dice.weighted(_UIDS)
    primary: list[str | int] = [name, *gids]
    gid = dice.one(primary)
    groups = {dice.one(gids) for _ in range(dice.number(4))}
    capabilities = frozenset(dice.one(CAPABILITIES) for _ in range(dice.number(3))) if dice.chance(3) else None
    return User(name, uid, gid, tuple(sorted(groups)), capabilities)


def paths_of(world: World) -> list[str]:
    """Where there are nodes, abstract names left out."""
    return [node.path for node in world.nodes if not node.path.startswith("@")]


def directories_of(world: World, top: str) -> list[str]:
    """Where nodes may be added."""
    below = (node.path for node in world.nodes if node.kind in {"directory", "mount"} and node.path.count("/") < DEPTH)
    return list(dict.fromkeys((top, *below)))


def uids_of(world: World) -> list[int]:
    """The users' uids."""
    return sorted({user.uid for user in world.users})


def gids_of(world: World) -> list[int]:
    """The groups that somebody is in."""
    principals = [world.principal(user.name) for user in world.users]
    return sorted({gid for principal in principals for gid in (principal.gid, *principal.groups)})


def nodes_by(
    dice: Dice, world: World, top: str, sorts: Mapping[Sort, int], *, fuse: bool, flags: bool
) -> tuple[Node, ...]:
    """A node, and what belongs to it: what is mounted may be taken away where it came from."""
    sort = dice.weighted(sorts)
    directories = directories_of(world, top)
    # In half of the cases the newest directory, so that worlds become deep.
    parent = directories[-1] if dice.chance(2) else dice.one(directories)
    path = f"{parent}/{dice.one(NAMES)}"
    if sort == "deleted":
        directory = _node(dice, world, top, "directory", f"{top}/{dice.one(NAMES)}", fuse=False)
        return (directory, *_taken_away(Node(path, "mount", fs="bind", options=(f"from={directory.path}",))))
    node = _node(dice, world, top, sort, path, fuse=fuse)
    if flags and (node.kind in {"directory", "file"} or node.fs == "tmpfs") and dice.chance(3):
        return (dataclasses.replace(node, flags=dice.one(_FLAGS)),)
    return _taken_away(node) if node.fs == "bind" and dice.chance(3) else (node,)


def _taken_away(mount: Node) -> tuple[Node, ...]:
    return (mount, Node(mount.source, "absent", mode=0)) if mount.source else (mount,)


def _node(dice: Dice, world: World, top: str, sort: Sort, path: str, *, fuse: bool) -> Node:
    owner, group = dice.one(uids_of(world)), dice.one(gids_of(world))
    if sort == "symlink":
        return Node(path, "symlink", owner, mode=0o777, target=_target(world, top, path, dice))
    if sort == "absent":
        return Node(dice.one(paths_of(world) or [path]), "absent", mode=0)
    if sort in {"socket", "abstract"}:
        return _socket(world, path, owner, group, dice, abstract=sort == "abstract")
    if sort in {"file", "fifo"}:
        kind: Literal["file", "fifo"] = "file" if sort == "file" else "fifo"
        return _with_acl(world, Node(path, kind, owner, group, dice.mode(FILE_MODES, 0o10000)), dice)
    mode = dice.mode(DIRECTORY_MODES, 0o4000)
    if sort != "mount":
        return _with_default(world, _with_acl(world, Node(path, "directory", owner, group, mode), dice), dice)
    options = (("ro",) if dice.chance(2) else ()) + (("noexec",) if dice.chance(4) else ())
    sources = paths_of(world)
    shown = [node.path for node in world.nodes if node.kind == "directory" and node.path != top]
    if fuse and shown and not dice.chance(4):
        return _fuse(world, f"{top}/{dice.one(NAMES)}", dice.one(shown), options, dice)
    if dice.chance(3) or not sources:
        node = Node(path, "mount", owner, group, mode, fs="tmpfs", options=options)
        return _with_default(world, _with_acl(world, node, dice), dice)
    return Node(path, "mount", fs="bind", options=(f"from={dice.one(sources)}", *options))


def _fuse(world: World, path: str, source: str, options: tuple[str, ...], dice: Dice) -> Node:
    """A FUSE mount of one of the users, open to others in half of the cases."""
    who = dice.one(world.users)
    allow = (ALLOW_OTHER,) if dice.chance(2) else ()
    return Node(path, "mount", who.name, who.gid, fs="fuse", options=(f"from={source}", *allow, *options))


def _socket(world: World, path: str, owner: int, group: int, dice: Dice, *, abstract: bool) -> Node:
    kind, state = dice.weighted(TYPES), dice.weighted(_STATES)
    if (kind == "dgram" and state in {"bound", "full"}) or (abstract and state == "stale"):
        state = "listening"
    if abstract:
        network = NETWORK if dice.chance(2) else None
        return Node("@" + posixpath.basename(path), "socket", type=kind, state=state, network=network)
    node = Node(path, "socket", owner, group, dice.mode(OBJECT_MODES, 0o1000), type=kind, state=state)
    return _with_acl(world, node, dice)


def _with_acl(world: World, node: Node, dice: Dice) -> Node:
    """The node, in half of the cases with an ACL, and then sometimes with group bits that are all zero."""
    if not dice.chance(2):
        return node
    acl = _entries(world, dice)
    mode = node.mode & ~0o070 if dice.chance(3) else node.mode
    return dataclasses.replace(node, mode=mode, acl=acl)


def _with_default(world: World, node: Node, dice: Dice) -> Node:
    """The node, in one case of three with a default ACL."""
    return dataclasses.replace(node, default_acl=_entries(world, dice)) if dice.chance(3) else node


def _entries(world: World, dice: Dice) -> tuple[AclEntry, ...]:
    entries: dict[tuple[str, int | None], AclEntry] = {}
    for _ in range(1 + dice.number(3)):
        tag, permissions = dice.weighted(_ENTRIES), dice.number(8)
        who = dice.one(uids_of(world)) if tag == "user" else dice.one(gids_of(world)) if tag == "group" else None
        sort: Literal["user", "group", "mask"] = "group" if tag == "owning group" else tag
        entries[sort, who] = AclEntry(sort, who, permissions)
    return tuple(entries.values())


def _target(world: World, top: str, path: str, dice: Dice) -> str:
    aim, slash = dice.weighted(_AIMS), "/" if dice.chance(4) else ""
    there = dice.one(paths_of(world) or [top])
    return {
        "absolute": there + slash,
        "sibling": posixpath.relpath(there, posixpath.dirname(path)) + slash,
        "up": "..",
        "here": ".",
        "missing": MISSING + slash,
        "itself": posixpath.basename(path) + slash,
        "root": "/",
    }[aim]
