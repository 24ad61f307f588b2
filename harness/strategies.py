"""Hypothesis strategies for whole worlds: users, nodes of every kind and attempts of every operation.

A drawn world is complete and without problems, so that any place can build it. The parts are drawn independently of
each other and then fitted together (a parent is drawn as a number, and stands for one of the directories that there
are by then): so Hypothesis can leave out any node, user or attempt, and what is left is still a world.
"""

from __future__ import annotations

import dataclasses
import posixpath
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, TypeVar

from hypothesis import strategies as st

from harness.world import (
    AclEntry,
    Attempt,
    Node,
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

TOPS: Final = (("/w", None), ("/w", 0o777), ("/w", 0o1777), ("/tmp", None), ("/run", None), ("/home", 0o2777))
"""The directories in which drawn worlds lie; a mode stands for a node of its own, else they are as a place has them."""
DEPTH: Final = 6
"""How many names a node's path has at most."""
GROUPS: Final = {"web": 2001, "ops": 2002, "audit": 2003}
UIDS: Final = (1001, 1002, 1003, 0)
NAMES: Final = ("a", "b", "s", "d", "link", "é")
CAPABILITIES: Final = ("CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_FOWNER", "CAP_FSETID", "CAP_CHOWN")
DIRECTORY_MODES: Final = (0o755, 0o711, 0o777, 0o1777, 0o750, 0o770, 0o2775, 0o3777, 0o1770, 0o700, 0o733, 0o705, 0o070)
OBJECT_MODES: Final = (0o666, 0o660, 0o600, 0o777, 0o755, 0o222, 0o606, 0o444, 0o440, 0o066, 0o602, 0o020, 0o000)
MISSING: Final = "nothing"
ENDINGS: Final = ("", "/", "/.", "/..", "//", "/nothing", "/../nothing")


_Sort = Literal["socket", "directory", "file", "symlink", "mount", "abstract"]
_Shape = Literal["plain", "relative", "dotted", "through", "name", "path", "address", "winding"]
_Aim = Literal["absolute", "sibling", "up", "here", "missing", "itself", "root"]
_Entry = Literal["user", "group", "owning group", "mask"]


def _weighted(weights: Mapping[_T, int]) -> st.SearchStrategy[_T]:
    return st.sampled_from([choice for choice, weight in weights.items() for _ in range(weight)])


_SORTS: Mapping[_Sort, int] = {"socket": 6, "directory": 8, "file": 2, "symlink": 6, "mount": 3, "abstract": 1}
_TYPES: Mapping[SocketType, int] = {"stream": 6, "dgram": 1, "seqpacket": 1}
_STATES: Mapping[SocketState, int] = {"listening": 3, "stale": 1, "bound": 1}
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
    "connect": 9,
    "unlink": 6,
    "rename": 8,
    "bind": 5,
    "chmod": 4,
    "stat": 3,
    "readlink": 2,
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

_small = st.integers(0, 63)
_bits = st.integers(0, 7)
_modes = st.one_of(st.sampled_from(OBJECT_MODES), st.integers(0, 0o777))
_directory_modes = st.one_of(st.sampled_from(DIRECTORY_MODES), st.sampled_from(DIRECTORY_MODES), st.integers(0, 0o3777))


class _UserSpec(NamedTuple):
    uid: int
    gid: int
    groups: frozenset[int]
    capabilities: frozenset[str] | None


class _NodeSpec(NamedTuple):
    kind: _Sort
    parent: int
    name: str
    owner: int
    group: int
    mode: int
    acl: Sequence[tuple[_Entry, int, int]]
    type: SocketType
    state: SocketState
    target: tuple[_Aim, int, str]
    read_only: bool


class _AttemptSpec(NamedTuple):
    user: int
    operation: Operation
    object: int
    shape: _Shape
    ending: str
    second: int
    second_ending: str
    mode: int
    type: SocketType
    cwd: int
    other: int
    story: bool


_gids = st.sampled_from([1000, *GROUPS.values(), 0])
_users = st.builds(
    _UserSpec,
    st.sampled_from([*UIDS, 1001, 1002]),
    _gids,
    st.frozensets(_gids, max_size=3),
    st.one_of(st.none(), st.none(), st.none(), st.frozensets(st.sampled_from(CAPABILITIES), max_size=2)),
)
_acls = st.one_of(
    st.just(()),
    st.lists(st.tuples(_weighted(_ENTRIES), st.integers(0, 3), _bits), min_size=1, max_size=3),
)
_sorts = _weighted(_SORTS)
_types = _weighted(_TYPES)
_states = _weighted(_STATES)
_targets = st.tuples(_weighted(_AIMS), _small, st.sampled_from(["", "", "", "/"]))


@st.composite
def _node_specs(draw: st.DrawFn) -> _NodeSpec:
    kind = draw(_sorts)
    directory = kind in {"directory", "mount"}
    own = kind not in {"symlink", "abstract"}
    return _NodeSpec(
        kind=kind,
        parent=draw(_small),
        name=draw(st.sampled_from(NAMES)),
        owner=draw(_small),
        group=draw(_small) if own else 0,
        mode=draw(_directory_modes if directory else _modes) if own else 0,
        acl=draw(_acls) if own else (),
        type=draw(_types) if kind in {"socket", "abstract"} else "stream",
        state=draw(_states) if kind in {"socket", "abstract"} else "listening",
        target=draw(_targets) if kind in {"symlink", "mount"} else ("absolute", 0, ""),
        read_only=draw(st.booleans()) if kind == "mount" else False,
    )


_operations = _weighted(_OPERATIONS)
_shapes = _weighted(_SHAPES)
_endings = st.sampled_from([*([""] * 20), *ENDINGS])
_stories = st.sampled_from([False, False, True])


@st.composite
def _attempt_specs(draw: st.DrawFn) -> _AttemptSpec:
    operation = draw(_operations)
    rename = operation == "rename"
    return _AttemptSpec(
        user=draw(_small),
        operation=operation,
        object=draw(_small),
        shape=draw(_shapes),
        ending=draw(_endings),
        second=draw(_small) if rename else 0,
        second_ending=draw(_endings) if rename else "",
        mode=draw(_directory_modes) if operation in {"chmod", "bind"} else 0,
        type=draw(_types) if operation in {"connect", "bind"} else "stream",
        cwd=draw(_small),
        other=draw(_small),
        story=draw(_stories),
    )


def worlds(max_nodes: int = 12, max_attempts: int = 12) -> st.SearchStrategy[World]:
    """Whole worlds, with at least one node and one attempt."""
    return st.builds(
        _fit,
        st.lists(_users, min_size=1, max_size=4),
        st.sampled_from(TOPS),
        st.lists(_node_specs(), min_size=1, max_size=max_nodes),
        st.lists(_attempt_specs(), min_size=1, max_size=max_attempts),
    )


def _fit(
    users: Sequence[_UserSpec],
    within: tuple[str, int | None],
    nodes: Sequence[_NodeSpec],
    attempts: Sequence[_AttemptSpec],
) -> World:
    top, open_to = within
    named: dict[str, User] = {}
    for number, spec in enumerate(users):
        name = f"u{number}"
        gid = spec.gid if spec.gid != 1000 else name
        groups = tuple(sorted(group for group in spec.groups if group != 1000))
        named[name] = User(name, spec.uid, gid, groups, spec.capabilities)
    own = {name: 3000 + number for number, name in enumerate(named)}
    around = () if open_to is None else (Node(top, "directory", mode=open_to),)
    world = complete(World("drawn", groups={**GROUPS, **own}, users=tuple(named.values()), nodes=around))
    for drawn in nodes:
        candidate = dataclasses.replace(world, nodes=(*world.nodes, _node(world, top, drawn)))
        if not any(problems(candidate)):
            world = candidate
    made = [attempt for spec in attempts for attempt in _attempts(world, top, spec)]
    # A working directory is entered when it is first needed, so nothing may have been moved by then.
    return dataclasses.replace(world, attempts=tuple(sorted(made, key=lambda attempt: attempt.cwd is None)))


def _directories(world: World, top: str) -> list[str]:
    found = [top]
    for node in world.nodes:
        if node.kind in {"directory", "mount"} and node.path.count("/") < DEPTH and node.path not in found:
            found.append(node.path)
    return found


def _gids_of(world: World) -> list[int]:
    """The groups that somebody is in."""
    principals = [world.principal(user.name) for user in world.users]
    return sorted({gid for principal in principals for gid in (principal.gid, *principal.groups)})


def _node(world: World, top: str, spec: _NodeSpec) -> Node:
    directories = _directories(world, top)
    # Mostly the newest directory, so that worlds become deep; else any.
    parent = directories[-1] if spec.parent % 2 else directories[spec.parent // 2 % len(directories)]
    path = f"{parent}/{spec.name}"
    owners = sorted({user.uid for user in world.users})
    owner = owners[spec.owner % len(owners)]
    if spec.kind == "abstract":
        state: SocketState = "listening" if spec.state == "stale" or spec.type == "dgram" else spec.state
        return Node(f"@{spec.name}", "socket", mode=0o755, type=spec.type, state=state)
    if spec.kind == "symlink":
        return Node(path, "symlink", owner=owner, mode=0o777, target=_target(world, top, path, spec.target))
    gids = _gids_of(world)
    acl = _acl(world, spec)
    mode = spec.mode & ~0o070 if acl and spec.parent % 3 == 0 else spec.mode
    node = Node(path, spec.kind, owner, gids[spec.group % len(gids)], mode, acl=acl)
    if spec.kind == "socket":
        state = "listening" if spec.type == "dgram" and spec.state == "bound" else spec.state
        return dataclasses.replace(node, type=spec.type, state=state)
    if spec.kind != "mount":
        return node
    options = ("ro",) if spec.read_only else ()
    sources = [known.path for known in world.nodes if not known.path.startswith("@")]
    if spec.target[0] != "absolute" or not sources:
        return dataclasses.replace(node, fs="tmpfs", options=options)
    source = sources[spec.target[1] % len(sources)]
    return Node(path, "mount", fs="bind", options=(f"from={source}", *options))


def _acl(world: World, spec: _NodeSpec) -> tuple[AclEntry, ...]:
    uids = sorted({user.uid for user in world.users})
    gids = _gids_of(world)
    entries: dict[tuple[str, int | None], AclEntry] = {}
    for tag, who, permissions in spec.acl:
        if tag == "user":
            entry = AclEntry("user", uids[who % len(uids)], permissions)
        elif tag == "group":
            entry = AclEntry("group", gids[who % len(gids)], permissions)
        else:
            entry = AclEntry("mask" if tag == "mask" else "group", None, permissions)
        entries[entry.tag, entry.who if isinstance(entry.who, int) else None] = entry
    return tuple(entries.values())


def _target(world: World, top: str, path: str, drawn: tuple[_Aim, int, str]) -> str:
    sort, number, slash = drawn
    known = [node.path for node in world.nodes if not node.path.startswith("@")] or [top]
    there = known[number % len(known)]
    return {
        "absolute": there + slash,
        "sibling": posixpath.relpath(there, posixpath.dirname(path)) + slash,
        "up": "..",
        "here": ".",
        "missing": MISSING + slash,
        "itself": posixpath.basename(path) + slash,
        "root": "/",
    }[sort]


def _attempts(world: World, top: str, spec: _AttemptSpec) -> tuple[Attempt, ...]:
    """An attempt, and if it is a story, what others (or the same user) then find there."""
    first = _attempt(world, top, spec)
    if not spec.story or first.path.startswith("@"):
        return (first,)
    path = first.path if first.to is None else first.to
    somebody = dataclasses.replace(first, user=_user(world, spec.other), to=None, mode=None)
    if spec.operation == "bind":
        opened = dataclasses.replace(first, operation="chmod", mode=spec.mode & 0o777, type="stream")
        return first, opened, dataclasses.replace(somebody, operation="connect")
    if spec.operation == "chmod":
        return first, dataclasses.replace(somebody, operation="bind" if spec.other % 2 else "connect")
    if spec.operation == "rename":
        return first, dataclasses.replace(somebody, operation="stat" if spec.other % 2 else "connect", path=path)
    if spec.operation == "unlink":
        return first, dataclasses.replace(somebody, operation="bind")
    return first, somebody


def _user(world: World, number: int) -> str:
    users = [user.name for user in world.users if user.name != "root"] or ["root"]
    return users[number % len(users)]


def _attempt(world: World, top: str, spec: _AttemptSpec) -> Attempt:
    path = _object(world, top, spec.object, spec.operation, 3 if spec.operation == "bind" else 1)
    cwd: str | None = None
    if not path.startswith("@"):
        path, cwd = _shaped(world, path, spec)
        path += spec.ending
    rename = spec.operation == "rename"
    second = _object(world, top, spec.second, "rename", 2) + spec.second_ending if rename else None
    return Attempt(
        user=_user(world, spec.user),
        operation=spec.operation,
        path=path,
        to=second,
        mode=spec.mode if spec.operation == "chmod" else None,
        type=spec.type,
        cwd=cwd,
    )


def _object(world: World, top: str, number: int, operation: Operation, new: int) -> str:
    """What an attempt is about: a node, or (in `new` of four cases) a name that is in a directory or is not.

    What is connected to is mostly a socket, what is moved a directory, and so is where a name is looked for.
    """
    abstract = operation in {"connect", "bind"}
    known = [node.path for node in world.nodes if abstract or not node.path.startswith("@")] or [top]
    rest = number // 4
    if number % 4 < new:
        above = [node.path for node in world.nodes if node.kind in {"directory", "mount", "symlink"}] or [top]
        places = known if rest == 0 and not known[0].startswith("@") else above
        names = sorted({posixpath.basename(path) for path in known if not path.startswith("@")}) or [MISSING]
        name = MISSING if rest % 2 else names[rest // 2 % len(names)]
        return f"{places[rest % len(places)]}/{name}"
    usual = {"connect": "socket", "rename": "directory", "bind": "symlink"}.get(operation)
    fitting = [node.path for node in world.nodes if node.kind == usual] if rest % 4 else []
    return (fitting or known)[rest % len(fitting or known)]


def _shaped(world: World, path: str, spec: _AttemptSpec) -> tuple[str, str | None]:
    """The same path in another guise, and the working directory that it needs."""
    addressed = spec.operation in {"connect", "bind"}  # such a path is refused if it is long, whatever it leads to
    if spec.shape == "relative":
        directories = [node.path for node in world.nodes if node.kind == "directory"] or ["/"]
        cwd = directories[spec.cwd % len(directories)]
        return posixpath.relpath(path, cwd), cwd
    parent, name = posixpath.split(path)
    if spec.shape == "dotted":
        return f"{parent}/./{name}/../{name}" if spec.cwd % 2 else f"{parent}/../{parent.lstrip('/')}/{name}", None
    if spec.shape == "through":
        links = [node.path for node in world.nodes if node.kind == "symlink"] or [parent]
        return f"{links[spec.cwd % len(links)]}/{name}", None
    if spec.shape == "name":
        return f"{parent}/{'x' * (255 + spec.cwd % 2)}", None
    if spec.shape == "path" and not addressed:
        return _padded(path, 4094 + spec.cwd % 3), None
    if spec.shape == "address":
        return _padded(path, 107 + spec.cwd % 3), None
    if spec.shape == "winding":
        wound = f"{path}{('/' + name) * (38 + spec.cwd % 4)}"
        return path if addressed and len(wound.encode()) > 108 else wound, None
    return path, None


def _padded(path: str, size: int) -> str:
    """The path made longer, to a number of bytes, by slashes and dots that mean nothing."""
    missing = size - len(path.encode())
    return path if missing < 0 else "/" * (missing % 2) + "/." * (missing // 2) + path
