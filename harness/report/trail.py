"""Where a path leads in a world: each component that a lookup passes, with what it is and whose it is."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from harness.world import OPERATIONS, Node

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.world import Attempt, World

ROOT_DIRECTORY = Node("/", "directory")
LINKS = 40
"""A lookup that follows more symlinks than this is given up (MAXSYMLINKS in include/linux/namei.h)."""


@dataclass(frozen=True, slots=True)
class Step:
    """One component. `path` is absolute with symlinks resolved up to it; `node` is `None` where nothing is.

    `level` is how deep it is drawn; `name` is the component as the path or a symlink's text spells it.
    """

    path: str
    name: str
    node: Node | None
    level: int


class Trails:
    """The paths of one world, as they were when the world had just been built.

    `root` is the root directory, which no world makes: where one has been seen, it may be anybody's and of any mode.
    """

    def __init__(self, world: World, root: Node = ROOT_DIRECTORY) -> None:
        self._nodes, self._binds = _tree(world, root)
        self._known: dict[tuple[str, bool, str], tuple[Step, ...]] = {}

    def of(self, attempt: Attempt) -> tuple[Step, ...]:
        """The steps of an attempt's path, from the root to the object or to what stops a lookup first."""
        path = attempt.path
        if path.startswith("@"):
            return (Step(path, path, self._nodes.get(path), 0),)
        if not path.startswith("/"):
            path = posixpath.join(attempt.cwd or "/", path)
        return self.to(path, follow=OPERATIONS[attempt.operation].follows, root=self._root(attempt))

    def _root(self, attempt: Attempt) -> str:
        return "/" if attempt.root is None else self.to(attempt.root)[-1].path

    def deciding(self, attempt: Attempt, at: str) -> tuple[Step, ...]:
        """The steps among which `at` is: those of the path, or those of a rename's second path."""
        steps = self.of(attempt)
        if attempt.to is None or any(step.path == at for step in steps):
            return steps
        others = self.to(posixpath.join(attempt.cwd or "/", attempt.to), follow=False, root=self._root(attempt))
        return others if any(step.path == at for step in others) else steps

    def to(self, path: str, *, follow: bool = True, root: str = "/") -> tuple[Step, ...]:
        """The steps to an absolute path below a root directory; `follow`: a symlink at its end is followed."""
        if (path, follow, root) not in self._known:
            self._known[path, follow, root] = self._walk(path, root, follow=follow)
        return self._known[path, follow, root]

    def _walk(self, path: str, root: str, *, follow: bool) -> tuple[Step, ...]:
        steps = [Step(root, root, self._node(root), 0)]
        top = _level(root)
        pending = [part for part in path.split("/") if part not in {"", "."}]
        here, links = root, 0
        while pending:
            part = pending.pop(0)
            if part == "..":
                here = here if here == root else posixpath.dirname(here)
                steps.append(Step(here, "..", self._node(here), _level(here) - top))
                continue
            there = posixpath.join(here, part)
            node = self._node(there)
            steps.append(Step(there, part, node, _level(there) - top))
            if node is None:
                break
            if node.kind == "symlink" and (pending or follow or path.endswith("/")):
                links += 1
                target = node.target or ""
                if links > LINKS:
                    break
                pending[:0] = [part for part in target.split("/") if part not in {"", "."}]
                here = root if target.startswith("/") else here
                continue
            if node.kind not in {"directory", "mount"}:
                break
            here = there
        return tuple(steps)

    def _node(self, path: str) -> Node | None:
        node = self._nodes.get(_behind(path, self._binds))
        return None if node is None else replace(node, path=path)


def _level(path: str) -> int:
    return 0 if path == "/" else path.count("/")


def _tree(world: World, root: Node) -> tuple[Mapping[str, Node], Mapping[str, str]]:
    """Every node that a lookup can reach, by its place behind all bind mounts, and these mounts."""
    nodes: dict[str, Node] = {"/": root}
    binds: dict[str, str] = {}
    for node in world.nodes:
        if node.path.startswith("@"):
            nodes[node.path] = node
            continue
        path = posixpath.normpath(node.path)
        parent = posixpath.dirname(path)
        while _behind(parent, binds) not in nodes:
            nodes[_behind(parent, binds)] = Node(parent, "directory")
            parent = posixpath.dirname(parent)
        if node.source is not None:
            binds[path] = _behind(posixpath.normpath(node.source), binds)
            continue
        place = _behind(path, binds)
        if node.kind == "absent":
            gone = f"\0{len(nodes)}"
            nodes = {_renamed(old, place, gone): node for old, node in nodes.items()}
            binds = {mount: _renamed(source, place, gone) for mount, source in binds.items()}
            continue
        if node.kind == "mount":
            for hidden in [old for old in nodes if old.startswith(place + "/")]:
                del nodes[hidden]
        nodes[place] = node
    return nodes, binds


def _renamed(path: str, old: str, new: str) -> str:
    return new + path[len(old) :] if path == old or path.startswith(old + "/") else path


def _behind(path: str, binds: Mapping[str, str]) -> str:
    """A path as it is called outside every bind mount."""
    for mount in sorted(binds, key=len, reverse=True):
        if path == mount or path.startswith(mount + "/"):
            return posixpath.normpath(binds[mount] + path[len(mount) :])
    return path
