"""What each operation takes beside its path, and whether it follows a symlink at that path's end."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.world.model import Operation

Key = Literal["to", "mode", "owner", "group", "type"]
"""A key of an attempt that not every operation takes."""


@dataclass(frozen=True, slots=True)
class Shape:
    """`follows`: a symlink at the path's end is followed. `needs` are keys without which there is no such attempt,
    `takes` those which it may have; of `any_of` it needs one.
    """

    follows: bool
    needs: frozenset[Key] = frozenset()
    takes: frozenset[Key] = frozenset()
    any_of: tuple[Key, ...] = ()

    @property
    def keys(self) -> frozenset[Key]:
        """All keys that it may have."""
        return self.needs | self.takes.union(self.any_of)


OPERATIONS: Final[Mapping[Operation, Shape]] = MappingProxyType(
    {
        "connect": Shape(follows=True, takes=frozenset({"type"})),
        "bind": Shape(follows=False, takes=frozenset({"type"})),
        "unlink": Shape(follows=False),
        "rename": Shape(follows=False, needs=frozenset({"to"})),
        "stat": Shape(follows=True),
        "readlink": Shape(follows=False),
        "chmod": Shape(follows=True, needs=frozenset({"mode"})),
        "chown": Shape(follows=True, any_of=("owner", "group")),
        "read": Shape(follows=True),
        "write": Shape(follows=True),
        "execute": Shape(follows=True),
        "list": Shape(follows=True),
        "create": Shape(follows=True, takes=frozenset({"mode"})),
        "mkdir": Shape(follows=False, takes=frozenset({"mode"})),
        "truncate": Shape(follows=True),
    }
)
"""Every operation."""
