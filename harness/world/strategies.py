"""Hypothesis strategies for whole worlds: users, nodes of every kind and attempts of every operation.

A drawn world is complete and without problems, so that any place can build it. For each user, node and attempt a few
bytes are drawn, each of which picks one thing (`_Dice`): that is several times as fast as a draw for each thing. What a
byte picks depends on what there is by then, a parent among the directories for example. So Hypothesis can leave out any
user, node or attempt, and what is left is still a world; and zeros everywhere are the plainest of all.
"""

from __future__ import annotations

import dataclasses
import functools
import posixpath
from typing import TYPE_CHECKING, Final, Literal, TypeVar

from hypothesis import strategies as st

from harness.world import (
    ALLOW_OTHER,
    AclEntry,
    Attempt,
    InodeFlag,
    Node,
    NodeKind,
    Operation,
    SocketState,
    SocketType,
    User,
    World,
    complete,
    problems,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_T = TypeVar("_T")
_Sort = Literal["socket", "directory", "file", "fifo", "symlink", "mount", "abstract", "absent"]
_Shape = Literal["plain", "relative", "dotted", "through", "name", "path", "address", "winding"]
_Aim = Literal["absolute", "sibling", "up", "here", "missing", "itself", "root"]
_Entry = Literal["user", "group", "owning group", "mask"]

TOPS: Final = (
    ("/w", None),
    ("/w", 0o777),
    ("/w", 0o1777),
    ("/tmp", None),
    ("/run", None),
    ("/home", 0o2777),
    ("/var/run", 0o755),
)
"""The directories in which drawn worlds lie; a mode stands for a node of its own, else they are as a place has them."""
DEPTH: Final = 6
"""How many names a node's path has at most."""
ATTEMPTS: Final = 6
"""How many attempts are drawn at least, unless fewer are asked for: making a world takes longer than trying in it."""
GROUPS: Final = {"web": 2001, "ops": 2002, "audit": 2003}
NAMES: Final = ("a", "b", "s", "d", "link", "é")
CAPABILITIES: Final = ("CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_FOWNER", "CAP_FSETID", "CAP_CHOWN")
DIRECTORY_MODES: Final = (0o755, 0o711, 0o777, 0o1777, 0o750, 0o770, 0o2775, 0o3777, 0o1770, 0o700, 0o733, 0o705, 0o070)
OBJECT_MODES: Final = (0o666, 0o660, 0o600, 0o777, 0o755, 0o222, 0o606, 0o444, 0o440, 0o066, 0o602, 0o020, 0o000)
FILE_MODES: Final = (0o644, 0o755, 0o666, 0o600, 0o711, 0o4755, 0o2755, 0o6711, 0o2644, 0o6640, 0o222, 0o050, 0o000)
MISSING: Final = "nothing"
NETWORK: Final = "other"
ENDINGS: Final = ("/", "/.", "/..", "//", "/nothing", "/../nothing")

_UIDS: Mapping[int, int] = {1001: 3, 1002: 2, 1003: 1, 0: 1}
_SORTS: Mapping[_Sort, int] = {
    "socket": 6,
    "directory": 10,
    "file": 4,
    "fifo": 1,
    "symlink": 6,
    "mount": 5,
    "abstract": 2,
    "absent": 1,
}
_FLAGS: tuple[tuple[InodeFlag, ...], ...] = (("immutable",), ("append-only",), ("immutable", "append-only"))
_CHANGING: frozenset[Operation] = frozenset(
    {"bind", "chmod", "chown", "create", "mkdir", "rename", "truncate", "unlink"}
)
_TYPES: Mapping[SocketType, int] = {"stream": 6, "dgram": 1, "seqpacket": 1}
_STATES: Mapping[SocketState, int] = {"listening": 6, "stale": 2, "bound": 2, "full": 1}
_ENTRIES: Mapping[_Entry, int] = {"user": 4, "group": 4, "owning group": 2, "mask": 1}
_AIMS: Mapping[_Aim, int] = {
    "absolute": 4,
    "sibling": 4,
    "up": 1,
    "here": 2,
    "missing": 3,
    "itself": 1,
    "root": 1,
}
_OPERATIONS: Mapping[Operation, int] = {
    "connect": 12,
    "unlink": 8,
    "rename": 14,
    "bind": 9,
    "chmod": 5,
    "stat": 3,
    "readlink": 2,
    "create": 6,
    "chown": 5,
    "mkdir": 4,
    "write": 4,
    "truncate": 4,
    "execute": 3,
    "read": 3,
    "list": 2,
}
_SHAPES: Mapping[_Shape, int] = {
    "plain": 16,
    "relative": 2,
    "dotted": 1,
    "through": 3,
    "name": 1,
    "path": 1,
    "address": 1,
    "winding": 3,
}
_USUAL: Mapping[Operation, frozenset[NodeKind]] = {
    "connect": frozenset({"socket"}),
    "rename": frozenset({"directory", "mount"}),
    "bind": frozenset({"symlink"}),
    "unlink": frozenset({"socket", "mount", "file"}),
    "create": frozenset({"file", "fifo", "symlink"}),
    "chown": frozenset({"file", "directory"}),
    "mkdir": frozenset({"symlink"}),
    **dict.fromkeys(("read", "write", "execute", "truncate"), frozenset[NodeKind]({"file", "fifo"})),
    "list": frozenset({"directory", "mount"}),
}
_NEW: Mapping[Operation, int] = {
    "bind": 3,
    "mkdir": 3,
    "create": 2,
    **dict.fromkeys(("chown", "read", "write", "execute", "truncate", "list"), 0),
}
"""In how many cases of four it is about a name that may be new; in one of all others."""


class _Dice:
    """Some bytes, taken one after the other. Where they end, all further ones are 0."""

    def __init__(self, drawn: bytes) -> None:
        self._bytes = iter(drawn)

    def number(self, limit: int) -> int:
        """0 to `limit` - 1, for limits up to 256."""
        return next(self._bytes, 0) % limit

    def chance(self, of: int) -> bool:
        """True in one case of so many."""
        return self.number(of) == of - 1

    def one(self, choices: Sequence[_T]) -> _T:
        """One of them."""
        return choices[self.number(len(choices))]

    def weighted(self, weights: Mapping[_T, int]) -> _T:
        """One of the keys, each as often as its value says."""
        return self.one([choice for choice, weight in weights.items() for _ in range(weight)])

    def mode(self, usual: Sequence[int], limit: int) -> int:
        """A usual mode, or in one case of three any mode below the limit."""
        usually = self.one(usual)
        return (self.number(256) << 8 | self.number(256)) % limit if self.chance(3) else usually


@st.composite
def worlds(
    draw: st.DrawFn, max_nodes: int = 12, max_attempts: int = 20, *, fuse: bool = False, flags: bool = False
) -> World:
    """Whole worlds, with at least one user beside root, one node and one attempt or more.

    `fuse`: with FUSE mounts in some, `flags`: with immutable and append-only nodes in some; no world has both.
    """
    within = draw(st.sampled_from(TOPS))
    users = draw(_dices(10, 1, 4))
    nodes = draw(_dices(28, 1, max_nodes))
    flagged = flags and draw(st.booleans())
    return _fit(
        within,
        users,
        nodes,
        draw(_dices(28, min(ATTEMPTS, max_attempts), max_attempts)),
        fuse=fuse and not flagged,
        flags=flagged,
    )


@functools.cache  # Hypothesis looks a strategy over when it is first drawn from, and keeps what it found
def _dices(size: int, least: int, most: int) -> st.SearchStrategy[list[_Dice]]:
    return st.lists(st.binary(min_size=size, max_size=size).map(_Dice), min_size=least, max_size=most)


def _fit(
    within: tuple[str, int | None],
    users: Sequence[_Dice],
    nodes: Sequence[_Dice],
    attempts: Sequence[_Dice],
    *,
    fuse: bool,
    flags: bool,
) -> World:
    top, open_to = within
    named = [_user(f"u{number}", dice) for number, dice in enumerate(users)]
    own = {user.name: 3000 + number for number, user in enumerate(named)}
    around = () if open_to is None else (Node(top, "directory", mode=open_to),)
    world = complete(World("drawn", groups={**GROUPS, **own}, users=tuple(named), nodes=around))
    for dice in nodes:
        node = _node(world, top, dice, fuse=fuse)
        if flags and (node.kind in {"directory", "file"} or node.fs == "tmpfs") and dice.chance(3):
            node = dataclasses.replace(node, flags=dice.one(_FLAGS))
        # What is mounted may be taken away where it came from.
        gone = (Node(node.source, "absent", mode=0),) if node.source and node.fs == "bind" and dice.chance(3) else ()
        for more in (node, *gone):
            candidate = dataclasses.replace(world, nodes=(*world.nodes, more))
            if not any(problems(candidate)):
                world = candidate
    made = [attempt for dice in attempts for attempt in _attempts(world, top, dice)]
    return dataclasses.replace(world, attempts=_ordered(made))


def _ordered(attempts: Sequence[Attempt]) -> tuple[Attempt, ...]:
    """Those in a working directory first: that is entered when it is first needed, so it may not have been moved."""
    inside = [attempt for attempt in attempts if attempt.cwd is not None]
    moving = [attempt for attempt in inside if attempt.operation == "rename"]
    return (
        *(attempt for attempt in inside if attempt.operation != "rename"),
        *moving[:1],
        *(attempt for attempt in attempts if attempt.cwd is None),
    )


def _user(name: str, dice: _Dice) -> User:
    gids = (*GROUPS.values(), 0)
    capabilities = None
    uid = dice.weighted(_UIDS)
    primary: list[str | int] = [name, *gids]
    gid = dice.one(primary)
    groups = {dice.one(gids) for _ in range(dice.number(4))}
    if dice.chance(3):
        capabilities = frozenset(dice.one(CAPABILITIES) for _ in range(dice.number(3)))
    return User(name, uid, gid, tuple(sorted(groups)), capabilities)


# --- nodes -----------------------------------------------------------------------------------------------------------


def _paths(world: World) -> list[str]:
    return [node.path for node in world.nodes if not node.path.startswith("@")]


def _directories(world: World, top: str) -> list[str]:
    below = (node.path for node in world.nodes if node.kind in {"directory", "mount"} and node.path.count("/") < DEPTH)
    return list(dict.fromkeys((top, *below)))


def _uids(world: World) -> list[int]:
    return sorted({user.uid for user in world.users})


def _gids(world: World) -> list[int]:
    """The groups that somebody is in."""
    principals = [world.principal(user.name) for user in world.users]
    return sorted({gid for principal in principals for gid in (principal.gid, *principal.groups)})


def _node(world: World, top: str, dice: _Dice, *, fuse: bool) -> Node:
    sort = dice.weighted(_SORTS)
    directories = _directories(world, top)
    # In half of the cases the newest directory, so that worlds become deep.
    parent = directories[-1] if dice.chance(2) else dice.one(directories)
    path = f"{parent}/{dice.one(NAMES)}"
    owner, group = dice.one(_uids(world)), dice.one(_gids(world))
    if sort == "symlink":
        return Node(path, "symlink", owner, mode=0o777, target=_target(world, top, path, dice))
    if sort == "absent":
        return Node(dice.one(_paths(world) or [path]), "absent", mode=0)
    if sort in {"socket", "abstract"}:
        return _socket(world, path, owner, group, dice, abstract=sort == "abstract")
    if sort in {"file", "fifo"}:
        kind: Literal["file", "fifo"] = "file" if sort == "file" else "fifo"
        return _with_acl(world, Node(path, kind, owner, group, dice.mode(FILE_MODES, 0o10000)), dice)
    mode = dice.mode(DIRECTORY_MODES, 0o4000)
    if sort != "mount":
        return _with_default(world, _with_acl(world, Node(path, "directory", owner, group, mode), dice), dice)
    options = (("ro",) if dice.chance(2) else ()) + (("noexec",) if dice.chance(4) else ())
    sources = _paths(world)
    shown = [node.path for node in world.nodes if node.kind == "directory" and node.path != top]
    if fuse and shown and not dice.chance(4):
        return _fuse(world, f"{top}/{dice.one(NAMES)}", dice.one(shown), options, dice)
    if dice.chance(3) or not sources:
        node = Node(path, "mount", owner, group, mode, fs="tmpfs", options=options)
        return _with_default(world, _with_acl(world, node, dice), dice)
    return Node(path, "mount", fs="bind", options=(f"from={dice.one(sources)}", *options))


def _fuse(world: World, path: str, source: str, options: tuple[str, ...], dice: _Dice) -> Node:
    """A FUSE mount of one of the users, open to others in half of the cases."""
    who = dice.one(world.users)
    allow = (ALLOW_OTHER,) if dice.chance(2) else ()
    return Node(path, "mount", who.name, who.gid, fs="fuse", options=(f"from={source}", *allow, *options))


def _socket(world: World, path: str, owner: int, group: int, dice: _Dice, *, abstract: bool) -> Node:
    kind, state = dice.weighted(_TYPES), dice.weighted(_STATES)
    if (kind == "dgram" and state in {"bound", "full"}) or (abstract and state == "stale"):
        state = "listening"
    if abstract:
        network = NETWORK if dice.chance(2) else None
        return Node("@" + posixpath.basename(path), "socket", type=kind, state=state, network=network)
    node = Node(path, "socket", owner, group, dice.mode(OBJECT_MODES, 0o1000), type=kind, state=state)
    return _with_acl(world, node, dice)


def _with_acl(world: World, node: Node, dice: _Dice) -> Node:
    """The node, in half of the cases with an ACL, and then sometimes with group bits that are all zero."""
    if not dice.chance(2):
        return node
    acl = _entries(world, dice)
    mode = node.mode & ~0o070 if dice.chance(3) else node.mode
    return dataclasses.replace(node, mode=mode, acl=acl)


def _with_default(world: World, node: Node, dice: _Dice) -> Node:
    """The node, in one case of three with a default ACL."""
    return dataclasses.replace(node, default_acl=_entries(world, dice)) if dice.chance(3) else node


def _entries(world: World, dice: _Dice) -> tuple[AclEntry, ...]:
    entries: dict[tuple[str, int | None], AclEntry] = {}
    for _ in range(1 + dice.number(3)):
        tag, permissions = dice.weighted(_ENTRIES), dice.number(8)
        who = dice.one(_uids(world)) if tag == "user" else dice.one(_gids(world)) if tag == "group" else None
        sort: Literal["user", "group", "mask"] = "group" if tag == "owning group" else tag
        entries[sort, who] = AclEntry(sort, who, permissions)
    return tuple(entries.values())


def _target(world: World, top: str, path: str, dice: _Dice) -> str:
    aim, slash = dice.weighted(_AIMS), "/" if dice.chance(4) else ""
    there = dice.one(_paths(world) or [top])
    return {
        "absolute": there + slash,
        "sibling": posixpath.relpath(there, posixpath.dirname(path)) + slash,
        "up": "..",
        "here": ".",
        "missing": MISSING + slash,
        "itself": posixpath.basename(path) + slash,
        "root": "/",
    }[aim]


# --- attempts --------------------------------------------------------------------------------------------------------


def _attempts(world: World, top: str, dice: _Dice) -> tuple[Attempt, ...]:
    """An attempt, and in two cases of three what somebody, or root, then finds there."""
    first = _attempt(world, top, dice)
    sort = dice.number(3)
    if sort == 0 or first.path.startswith("@"):
        return (first,)
    operation = first.operation
    then = dataclasses.replace(first, user=_somebody(world, dice), to=None, mode=None, owner=None, group=None)
    if sort == 1 and operation in _CHANGING:
        there = first.path if first.to is None else first.to
        return first, dataclasses.replace(then, user="root", operation="stat", path=there, type="stream")
    if operation == "bind":
        opened = dataclasses.replace(first, operation="chmod", mode=dice.mode(OBJECT_MODES, 0o1000), type="stream")
        return first, opened, dataclasses.replace(then, operation="connect")
    if operation in {"chmod", "chown"}:
        return first, dataclasses.replace(then, operation=dice.one(("connect", "bind", "read", "execute", "truncate")))
    if operation == "create":
        return first, dataclasses.replace(then, operation=dice.one(("read", "write", "execute")))
    if operation == "mkdir":
        inside = dataclasses.replace(
            then, operation=dice.one(("mkdir", "create", "bind")), path=f"{first.path}/{MISSING}"
        )
        return first, dataclasses.replace(then, operation="list"), inside
    if operation == "rename":
        return first, dataclasses.replace(then, operation=dice.one(("connect", "stat")), path=first.to or "")
    if operation == "unlink":
        return first, dataclasses.replace(then, operation=dice.one(("bind", "create", "mkdir")))
    return (first, then) if operation not in _CHANGING else (first,)


def _somebody(world: World, dice: _Dice) -> str:
    return dice.one([user.name for user in world.users if user.name != "root"])


def _attempt(world: World, top: str, dice: _Dice) -> Attempt:
    operation, user = dice.weighted(_OPERATIONS), _somebody(world, dice)
    path = _object(world, top, operation, _NEW.get(operation, 1), dice)
    cwd = root = network = owner = group = None
    if path.startswith("@"):
        network = NETWORK if dice.chance(2) else None
    else:
        path, cwd, root = _shaped(world, operation, path, dice)
        path += _ending(dice)
    if operation == "chown":
        owner, group = _given(world, dice)
    return Attempt(
        user,
        operation,
        path,
        to=_object(world, top, "rename", 2, dice) + _ending(dice) if operation == "rename" else None,
        root=root,
        network=network,
        mode=_mode(operation, dice),
        type=dice.weighted(_TYPES) if operation in {"connect", "bind"} else "stream",
        cwd=cwd,
        owner=owner,
        group=group,
    )


def _mode(operation: Operation, dice: _Dice) -> int | None:
    if operation == "chmod":
        return dice.mode(DIRECTORY_MODES + FILE_MODES, 0o10000)
    if operation not in {"create", "mkdir"} or not dice.chance(2):
        return None
    return dice.mode(FILE_MODES if operation == "create" else DIRECTORY_MODES, 0o10000)


def _given(world: World, dice: _Dice) -> tuple[int | None, int | None]:
    """To whom chown gives it: half of the time to a group alone."""
    group = dice.one(_gids(world))
    owner = dice.one(_uids(world)) if dice.chance(2) else None
    return owner, group if owner is None or dice.chance(2) else None


def _ending(dice: _Dice) -> str:
    return dice.one(ENDINGS) if dice.chance(5) else ""


def _object(world: World, top: str, operation: Operation, new: int, dice: _Dice) -> str:
    """What an attempt is about: a node, or (in `new` of four cases) a name that is in a directory or is not.

    Mostly it is of the kind for which the operation is most telling, and in a directory.
    """
    paths = _paths(world) or [top]
    if dice.number(4) >= 4 - new:
        above = [node.path for node in world.nodes if node.kind in {"directory", "mount", "symlink"}]
        place = dice.one(above or [top]) if not dice.chance(8) else dice.one(paths)
        names = sorted({posixpath.basename(path) for path in paths})
        return f"{place}/{dice.one(names) if dice.chance(2) else MISSING}"
    mirrored = [(node.path, node.source) for node in world.nodes if node.fs == "fuse" and node.source is not None]
    if mirrored and dice.chance(2):
        mount, source = dice.one(mirrored)
        if operation == "bind":
            return f"{mount}/{MISSING}"
        inside = [path for path in paths if path.startswith(f"{source}/")]
        return mount + dice.one(inside)[len(source) :] if inside and dice.chance(2) else mount
    gone = {node.path for node in world.nodes if node.kind == "absent"}
    deleted = [node.path for node in world.nodes if node.fs == "bind" and node.source in gone]
    if operation in {"bind", "create", "mkdir"} and deleted and not dice.chance(3):
        return f"{dice.one(deleted)}/{MISSING}"
    usual = _USUAL.get(operation, frozenset())
    addressed = operation in {"connect", "bind"}
    fitting = [node.path for node in world.nodes if node.kind in usual and (addressed or node.path in paths)]
    return dice.one(paths if dice.chance(4) or not fitting else fitting)


def _reachable(world: World) -> list[str]:
    """The directories that no later mount hides, and that are not taken away."""
    found: list[str] = []
    for node in world.nodes:
        if node.kind in {"mount", "absent"}:
            found = [path for path in found if not f"{path}/".startswith(f"{node.path}/")]
        elif node.kind == "directory":
            found.append(node.path)
    return found


def _shaped(world: World, operation: Operation, path: str, dice: _Dice) -> tuple[str, str | None, str | None]:
    """The same path in another guise, and the working directory or the root directory that it needs."""
    if dice.chance(10):
        root = dice.one(_reachable(world) or ["/"])
        towards = path.startswith(f"{root}/") or dice.chance(2)  # by `..` if it is outside, which leads nowhere
        return f"/{posixpath.relpath(path, root)}" if towards else path, None, root
    path, cwd = _in_guise(world, operation, path, dice)
    return path, cwd, None


def _in_guise(world: World, operation: Operation, path: str, dice: _Dice) -> tuple[str, str | None]:
    shape, number = dice.weighted(_SHAPES), dice.number(4)
    addressed = operation in {"connect", "bind"}  # such a path is refused if it is long, whatever it leads to
    parent, name = posixpath.split(path)
    if shape == "relative":
        cwd = dice.one(_reachable(world) or ["/"])
        return posixpath.relpath(path, cwd), cwd
    if shape == "dotted":
        winding = f"{parent}/./{name}/../{name}" if number % 2 else f"{parent}/../{parent.lstrip('/')}/{name}"
        return winding, None
    if shape == "through":
        return f"{dice.one([node.path for node in world.nodes if node.kind == 'symlink'] or [parent])}/{name}", None
    if shape == "name":
        return f"{parent}/{'x' * (255 + number % 2)}", None
    if shape == "path" and not addressed:
        return _padded(path, 4094 + number % 3), None
    if shape == "address":
        return _padded(path, 107 + number % 3), None
    wound = f"{path}{('/' + name) * (38 + number)}"
    if shape == "winding" and not (addressed and len(wound.encode()) > 108):
        return wound, None
    return path, None


def _padded(path: str, size: int) -> str:
    """The path made longer, to a number of bytes, by slashes and dots that mean nothing."""
    missing = size - len(path.encode())
    return path if missing < 0 else "/" * (missing % 2) + "/." * (missing // 2) + path
