"""The attempts in drawn worlds."""

from __future__ import annotations

import dataclasses
import posixpath
from typing import TYPE_CHECKING, Final, Literal

from harness.world.drawing.nodes import (
    DIRECTORY_MODES,
    FILE_MODES,
    MISSING,
    NETWORK,
    OBJECT_MODES,
    TYPES,
    directories_of,
    gids_of,
    paths_of,
    uids_of,
)
from harness.world.model import Attempt, NodeKind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.world.drawing.dice import Dice
    from harness.world.model import Operation, World

_Shape = Literal["plain", "relative", "dotted", "through", "name", "path", "address", "winding"]
ENDINGS: Final = ("/", "/.", "/..", "//", "/nothing", "/../nothing")

_CHANGING: frozenset[Operation] = frozenset(
    {"bind", "chmod", "chown", "create", "mkdir", "rename", "truncate", "unlink"}
)
OPERATIONS: Mapping[Operation, int] = {
    "connect": 12,
    "unlink": 8,
    "rename": 18,
    "bind": 9,
    "chmod": 5,
    "stat": 3,
    "readlink": 3,
    "create": 6,
    "chown": 5,
    "mkdir": 4,
    "write": 4,
    "truncate": 5,
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
    "rename": frozenset({"directory"}),
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
    **dict.fromkeys(("rename", "chown", "read", "write", "execute", "truncate", "list"), 0),
}
"""In how many cases of four it is about a name that may be new; in one of all others."""


def attempts_by(dice: Dice, world: World, top: str, operations: Mapping[Operation, int]) -> tuple[Attempt, ...]:
    """An attempt, and in two cases of three what somebody, or root, then finds there."""
    first = _attempt(world, top, dice.weighted(operations), dice)
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


def _somebody(world: World, dice: Dice) -> str:
    return dice.one([user.name for user in world.users if user.name != "root"])


def _attempt(world: World, top: str, operation: Operation, dice: Dice) -> Attempt:
    user = _somebody(world, dice)
    path = about = _object(world, top, operation, _NEW.get(operation, 1), dice)
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
        to=_destination(world, top, about, dice) + _ending(dice) if operation == "rename" else None,
        root=root,
        network=network,
        mode=_mode(operation, dice),
        type=dice.weighted(TYPES) if operation in {"connect", "bind"} else "stream",
        cwd=cwd,
        owner=owner,
        group=group,
    )


def _mode(operation: Operation, dice: Dice) -> int | None:
    if operation == "chmod":
        return dice.mode(DIRECTORY_MODES + FILE_MODES, 0o10000)
    if operation not in {"create", "mkdir"} or not dice.chance(2):
        return None
    return dice.mode(FILE_MODES if operation == "create" else DIRECTORY_MODES, 0o10000)


def _given(world: World, dice: Dice) -> tuple[int | None, int | None]:
    """To whom chown gives it: half of the time to a group alone."""
    group = dice.one(gids_of(world))
    owner = dice.one(uids_of(world)) if dice.chance(2) else None
    return owner, group if owner is None or dice.chance(2) else None


def _ending(dice: Dice) -> str:
    return dice.one(ENDINGS) if dice.chance(5) else ""


def _object(world: World, top: str, operation: Operation, new: int, dice: Dice) -> str:
    """What an attempt is about: a node, or (in `new` of four cases) a name that is in a directory or is not.

    Mostly it is of the kind for which the operation is most telling, and in a directory.
    """
    paths = paths_of(world) or [top]
    gone = {node.path for node in world.nodes if node.kind == "absent"}
    deleted = [node.path for node in world.nodes if node.fs == "bind" and node.source in gone]
    if operation in {"bind", "create", "mkdir"} and deleted and not dice.chance(3):
        return f"{dice.one(deleted)}/{MISSING}"
    if dice.number(4) >= 4 - new:
        above = [node.path for node in world.nodes if node.kind in {"directory", "mount", "symlink"}]
        place = dice.one(above or [top]) if not dice.chance(8) else dice.one(paths)
        names = sorted({posixpath.basename(path) for path in paths})
        return f"{place}/{dice.one(names) if dice.chance(2) else MISSING}"
    usual = _USUAL.get(operation, frozenset())
    showing = [(node.path, node.source, node.fs) for node in world.nodes if node.source is not None]
    mirrored = [each for each in showing if each[2] == "fuse"] or showing
    if mirrored and dice.chance(2):
        mount, source, _ = dice.one(mirrored)
        if operation == "bind":
            return f"{mount}/{MISSING}"
        shown = [node for node in world.nodes if f"{node.path}/".startswith(f"{source}/")]
        telling = [node for node in shown if node.kind in usual]
        inside = shown if dice.chance(4) else telling or shown
        return mount + dice.one(inside).path[len(source) :] if inside else mount
    addressed = operation in {"connect", "bind"}
    fitting = [node.path for node in world.nodes if node.kind in usual and (addressed or node.path in paths)]
    return dice.one(paths if dice.chance(4) or not fitting else fitting)


def _destination(world: World, top: str, path: str, dice: Dice) -> str:
    """A new name for `path`: half of the time in another directory. To go there, a directory must be written itself."""
    elsewhere = [
        directory
        for directory in directories_of(world, top)
        if directory != posixpath.dirname(path) and not f"{directory}/".startswith(f"{path}/")
    ]
    if elsewhere and dice.chance(2):
        return f"{dice.one(elsewhere)}/{MISSING}"
    return _object(world, top, "rename", 2, dice)


def _reachable(world: World) -> list[str]:
    """The directories that no later mount hides, and that are not taken away, there or where a mount shows them."""
    found: list[str] = []
    showing: list[str] = []
    for node in world.nodes:
        lost = [node.path] if node.kind == "mount" else [node.path, *showing] if node.kind == "absent" else []
        found = [path for path in found if not any(f"{path}/".startswith(f"{each}/") for each in lost)]
        if node.source is not None:
            showing.append(node.path)
        if node.kind == "directory":
            found.append(node.path)
    return found


def _shaped(world: World, operation: Operation, path: str, dice: Dice) -> tuple[str, str | None, str | None]:
    """The same path in another guise, and the working directory or the root directory that it needs."""
    if dice.chance(10):
        root = dice.one(_reachable(world) or ["/"])
        towards = path.startswith(f"{root}/") or dice.chance(2)  # by `..` if it is outside, which leads nowhere
        return f"/{posixpath.relpath(path, root)}" if towards else path, None, root
    path, cwd = _in_guise(world, operation, path, dice)
    return path, cwd, None


def _in_guise(world: World, operation: Operation, path: str, dice: Dice) -> tuple[str, str | None]:
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
    if shape == "winding":
        here = [node.path for node in world.nodes if node.target == "."]
        link = dice.one(here) if here else path
        wound = (
            f"{link}{('/' + posixpath.basename(link)) * (38 + number)}{'/' + name if here and dice.chance(2) else ''}"
        )
        return path if addressed and len(wound.encode()) > 108 else wound, None
    return path, None


def _padded(path: str, size: int) -> str:
    """The path made longer, to a number of bytes, by slashes and dots that mean nothing."""
    missing = size - len(path.encode())
    return path if missing < 0 else "/" * (missing % 2) + "/." * (missing // 2) + path
