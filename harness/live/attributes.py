"""Attributes of inodes that refuse changes to everybody, root too (chattr(1), statx(2)). The facts are Linux's.

A socket can have them since Linux 6.17 (file_setattr(2)), a directory since ever, where its file system keeps them.
"""

from __future__ import annotations

import ctypes
import posixpath
import struct
from typing import TYPE_CHECKING, Final

from harness.inside.libc import LIBC
from harness.live.obstacle import Obstacle
from harness.oracle import Change, quoted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from harness.live.components import Component
    from harness.world import Operation

IMMUTABLE: Final = 0x10
APPEND: Final = 0x20
"""STATX_ATTR_IMMUTABLE and STATX_ATTR_APPEND (linux/stat.h)."""
AT_EMPTY_PATH: Final = 0x1000
_SIZE: Final = 256
_ATTRIBUTES_AT: Final = 8
_LETTERS: Final[Mapping[int, str]] = {IMMUTABLE: "i", APPEND: "a"}
_WRITING: Final[Mapping[Operation, str]] = {"connect": "to connect is to write to it"}
_KEPT: Final[Mapping[Operation, str]] = {"chmod": "its mode can't be changed", "chown": "it keeps its owner and group"}
_WORDS: Final[Mapping[int, str]] = {IMMUTABLE: "immutable", APPEND: "append-only"}


def attributes_of(descriptor: int) -> int:
    """The attributes of what a descriptor is open on; 0 where the C library or the kernel does not tell them."""
    if not hasattr(LIBC, "statx"):
        return 0
    held = ctypes.create_string_buffer(_SIZE)
    if LIBC.statx(descriptor, b"", AT_EMPTY_PATH, 0, held) != 0:
        return 0
    return int(struct.unpack_from("=Q", held, _ATTRIBUTES_AT)[0])


def obstacles(operation: Operation, way: Mapping[str, Component], path: str) -> Iterator[Obstacle]:
    """What attributes refuse on what a path names, and in its directory.

    Writing to what is immutable is refused before anybody's permission is asked (inode_permission in fs/namei.c); of an
    append-only directory names may not be taken, of such a thing neither its name nor its mode changed (may_delete
    there, may_setattr in fs/attr.c).
    """
    thing, directory = way.get(path), way.get(posixpath.dirname(path))
    if operation in {"connect", "write", "truncate"} or (operation == "create" and thing is not None):
        yield from _refusing(thing, IMMUTABLE, _WRITING.get(operation, "it can't be written to"))
        if operation != "connect":
            yield from _refusing(thing, APPEND, "it can only be appended to", last=True)
    elif operation in {"chmod", "chown"}:
        yield from _refusing(thing, IMMUTABLE | APPEND, _KEPT[operation], last=True)
    elif operation in {"bind", "create", "mkdir"} and thing is None:
        yield from _refusing(directory, IMMUTABLE, "no name can be made in it")
    elif operation in {"unlink", "rename"} and thing is not None:
        yield from _refusing(directory, IMMUTABLE, "no name can be taken out of it")
        yield from _refusing(directory, APPEND, "no name can be taken out of it", last=True)
        yield from _refusing(thing, IMMUTABLE | APPEND, "it keeps its name", last=True)


def _refusing(one: Component | None, refusing: int, why: str, *, last: bool = False) -> Iterator[Obstacle]:
    found = 0 if one is None else one.attributes & refusing
    if one is None or not found:
        return
    attribute = IMMUTABLE if found & IMMUTABLE else APPEND
    yield Obstacle(
        one.path,
        "EPERM",
        f"{one.path} is {_WORDS[attribute]} (chattr +{_LETTERS[attribute]}): {why}, not even by root",
        (Change("elsewhere", one.path, f"chattr -{_LETTERS[attribute]} {quoted(one.path)}", 0),),
        last=last,
        behind_search=True,
        layer="inode flags",
    )
