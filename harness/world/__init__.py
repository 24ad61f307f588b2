"""A world: users, groups, nodes and attempts as frozen data, in TOML and back.

What reads and writes files is imported when it is asked for: `harness explain` has no world file.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from harness.world.error import WorldError
from harness.world.model import (
    ALLOW_OTHER,
    CALLS,
    DEFAULT_MODES,
    ROOT,
    AclEntry,
    Attempt,
    Confinement,
    FileSystemKind,
    FilteredCall,
    InodeFlag,
    LandlockRight,
    Node,
    NodeKind,
    Operation,
    Principal,
    SocketState,
    SocketType,
    User,
    World,
)
from harness.world.operations import OPERATIONS

if TYPE_CHECKING:
    from harness.world.toml import dumps, load, loads
    from harness.world.validation import complete, problems

__all__ = [
    "ALLOW_OTHER",
    "CALLS",
    "DEFAULT_MODES",
    "OPERATIONS",
    "ROOT",
    "AclEntry",
    "Attempt",
    "Confinement",
    "FileSystemKind",
    "FilteredCall",
    "InodeFlag",
    "LandlockRight",
    "Node",
    "NodeKind",
    "Operation",
    "Principal",
    "SocketState",
    "SocketType",
    "User",
    "World",
    "WorldError",
    "complete",
    "dumps",
    "load",
    "loads",
    "problems",
]

_WHEN_ASKED_FOR = {
    **dict.fromkeys(("dumps", "load", "loads"), "harness.world.toml"),
    **dict.fromkeys(("complete", "problems"), "harness.world.validation"),
}


def __getattr__(name: str) -> Any:
    if name not in _WHEN_ASKED_FOR:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_WHEN_ASKED_FOR[name]), name)
