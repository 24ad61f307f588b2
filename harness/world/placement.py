"""Where the nodes of a world lie: what each finds there when it is made, and what is made by then."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING, Final

from harness.world.standard import STANDARD_DIRECTORIES, STANDARD_LINKS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.world.model import Node

_PATH_LIMIT: Final = 4096  # PATH_MAX of linux/limits.h, with the closing NUL
_NAME_LIMIT: Final = 255  # NAME_MAX
_ABSTRACT_LIMIT: Final = 107  # sizeof(sun_path) of linux/un.h, less one

_Spot = tuple[int, str]
"""A place in the tree as the kernel tells them apart: the number of the mount, and the path without mounts."""


class Tree:
    """What has been made so far. Paths in here are those without mounts."""

    def __init__(self) -> None:
        self.kinds: dict[str, str] = {
            "": "directory",
            **dict.fromkeys(STANDARD_DIRECTORIES, "directory"),
            **dict.fromkeys(STANDARD_LINKS, "symlink"),
        }
        self.made: set[str] = {""}
        self.mounts: dict[_Spot, _Spot] = {}
        self.fuse: dict[int, _Spot] = {}
        """The numbers of FUSE mounts, and what they show."""
        self.read_only: set[int] = set()
        self.gone: set[str] = set()
        """What has been taken away, by what it is called in here since."""

    def has_made(self, at: str) -> bool:
        """Whether a node or the format has made what is there.

        What only stands in the paths of nodes may be the machine's own, such as /usr, or brought into the place.
        """
        return at in self.made or at in STANDARD_DIRECTORIES

    def spot(self, path: str) -> _Spot:
        """Where a path leads; the topmost mount counts."""
        mount, at = 0, ""
        for name in path.split("/")[1:]:
            at = f"{at}/{name}"
            while (mount, at) in self.mounts:
                mount, at = self.mounts[mount, at]
        return mount, at

    def mounted_below(self, at: str) -> bool:
        """Whether something is mounted there or below, seen through whatever mount."""
        return any(_within(point, at) for _, point in self.mounts)

    def is_gone(self, at: str) -> bool:
        """Whether it has been taken away: it may be mounted somewhere still."""
        return any(_within(at, gone) for gone in self.gone)

    def is_shown(self, spot: _Spot) -> bool:
        """Whether a FUSE mount shows what is there."""
        return any(mount == spot[0] and _within(spot[1], source) for mount, source in self.fuse.values())

    def take_away(self, at: str, gone: str) -> None:
        """What is there has no path any more. `gone` is what it is called in here by then."""

        self.gone.add(gone)

        def moved(path: str) -> str:
            return gone + path[len(at) :] if _within(path, at) else path

        self.kinds = {moved(path): kind for path, kind in self.kinds.items()}
        self.made = {moved(path) for path in self.made}
        self.mounts = {point: (mount, moved(root)) for point, (mount, root) in self.mounts.items()}


def placed(tree: Tree, node: Node, index: int) -> Iterator[tuple[str, str]]:
    """Why a node can't be made where it is to be, as a key and a sentence; the tree has it from then on."""
    if node.path.startswith("@"):
        yield from _abstract(tree, node)
        return
    wrong = tuple(no_node_path(node.path))
    yield from (("path", text) for text in wrong)
    if wrong:
        return
    written = ""
    for name in node.path.split("/")[1:-1]:
        written = f"{written}/{name}"
        mount, at = tree.spot(written)
        if mount in tree.fuse and at not in tree.kinds:
            yield "path", f"{written} is made by no node: make it in what the FUSE mount shows"
            return
        kind = tree.kinds.setdefault(at, "directory")
        if kind != "directory":
            yield "path", f"{written} is a {kind}, so nothing can be made in it"
            return
    if tree.is_gone(tree.spot(written)[1]):
        yield "path", f"{written} has been taken away, so nothing can be made in it"
    elif tree.spot(written)[0] in tree.fuse and (node.kind != "socket" or node.acl):
        yield "path", f"{written} is shown by a FUSE mount: only sockets without an ACL are made through it"
    else:
        yield from _make(tree, node, index)


def _make(tree: Tree, node: Node, index: int) -> Iterator[tuple[str, str]]:
    make = {"mount": _mounted, "absent": _taken_away}.get(node.kind, _named)
    yield from make(tree, node, index)


def _abstract(tree: Tree, node: Node) -> Iterator[tuple[str, str]]:
    name = f"{node.path} {node.type} {node.network}"
    if node.kind != "socket":
        yield "path", "only a socket can have an abstract name (@...)"
    elif len(node.path) == 1:
        yield "path", "an abstract name needs something after the @"
    elif len(node.path.encode(errors="replace")) > _ABSTRACT_LIMIT:
        yield "path", f"an abstract name, with its @, has at most {_ABSTRACT_LIMIT} bytes"
    elif name in tree.made:
        yield "path", f"there are two {node.type} sockets named {node.path}"
    tree.made.add(name)
    yield from (("path", sentence) for sentence in no_path(node.path))


def _named(tree: Tree, node: Node, _: int) -> Iterator[tuple[str, str]]:
    at = tree.spot(node.path)[1]
    if at in STANDARD_LINKS and at not in tree.made:
        tree.kinds[at] = node.kind
    elif at in tree.made or tree.kinds.setdefault(at, node.kind) != node.kind:
        yield "path", f"{node.path} is there already, as a {tree.kinds[at]}"
    tree.made.add(at)


def _taken_away(tree: Tree, node: Node, index: int) -> Iterator[tuple[str, str]]:
    above, _, name = node.path.rpartition("/")
    at = f"{tree.spot(above)[1] if above else ''}/{name}"
    if at not in tree.made:
        yield "path", f"{node.path} is made by no node before this one, so it is absent anyway"
    elif tree.mounted_below(at) or any(_within(source, at) for _, source in tree.fuse.values()):
        yield "path", f"{node.path} can't be taken away: it holds a mount, or is what a FUSE mount shows"
    else:
        tree.take_away(at, f"\0{index} gone")


def _mounted(tree: Tree, node: Node, index: int) -> Iterator[tuple[str, str]]:
    point = tree.spot(node.path)
    root = (index + 1, f"\0{index}")
    tree.kinds[root[1]] = "directory"
    if node.fs in {"bind", "fuse"}:
        source = tree.spot(node.source or "")
        root = (index + 1, source[1])
        if any(no_node_path(node.source or "")) or not tree.has_made(source[1]):
            yield "options", f"from={node.source} is made by no node before this one"
            return
        if tree.is_gone(source[1]):
            yield "options", f"from={node.source} has been taken away"
            return
        if source[0] in tree.fuse:
            yield "options", f"from={node.source} is shown by a FUSE mount, of which a world mounts nothing elsewhere"
            return
        if node.fs == "fuse":
            yield from _shown(tree, node, source)
            tree.fuse[index + 1] = source
    kind = tree.kinds[root[1]]
    under = tree.kinds.setdefault(point[1], "directory" if kind == "directory" else "file")
    if "symlink" in (kind, under):
        yield "path", "neither end of a mount can be a symlink"
    elif (under == "directory") != (kind == "directory"):
        yield "path", f"a {kind} can't be mounted upon a {under}"
    elif tree.is_gone(point[1]):
        yield "path", f"{node.path} shows what has been taken away, so nothing can be mounted upon it"
    elif point[0] in tree.fuse or tree.is_shown(point):
        yield "path", f"a FUSE mount has to do with {node.path}: a world mounts nothing upon what such a mount shows"
    else:
        tree.made.update((point[1], root[1]))
        tree.mounts[point] = root
        tree.read_only |= {index + 1} if "ro" in node.options else set()


def _shown(tree: Tree, node: Node, source: _Spot) -> Iterator[tuple[str, str]]:
    """Why a FUSE mount can't show what it is to show."""
    if tree.kinds[source[1]] != "directory":
        yield "options", f"from={node.source} is not a directory, and a FUSE mount shows one"
    elif any(mount == source[0] and _within(point, source[1]) for mount, point in tree.mounts):
        yield "options", f"from={node.source} holds a mount, which a FUSE mount would show too"
    elif source[0] in tree.read_only:
        yield "options", f"from={node.source} is mounted read-only: give that option to the FUSE mount"


def _within(path: str, top: str) -> bool:
    return path == top or path.startswith(f"{top}/")


def no_node_path(path: str) -> Iterator[str]:
    """Why a path can't be that of a node."""
    yield from no_path(path)
    if not path.startswith("/"):
        yield f"{path!r} is not an absolute path"
    elif path == "/":
        yield "the root directory is the place's own"
    elif path != posixpath.normpath(path) or path.startswith("//"):
        yield f"{path!r} must be written without ., .., double or closing slashes"
    elif len(path.encode(errors="replace")) >= _PATH_LIMIT:
        yield f"a path has at most {_PATH_LIMIT - 1} bytes"
    elif any(len(name.encode(errors="replace")) > _NAME_LIMIT for name in path.split("/")):
        yield f"a name has at most {_NAME_LIMIT} bytes"


def no_path(path: str) -> Iterator[str]:
    """Why a text can be no path at all."""
    if not path:
        yield "an empty path names nothing"
    elif "\0" in path:
        yield "a path can't hold a NUL"
    elif not _encodes(path):
        yield "the path is not valid Unicode"


def _encodes(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
