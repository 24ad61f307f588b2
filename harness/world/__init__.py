"""A world: users, groups, nodes and attempts as frozen data, in TOML and back."""

from harness.world.error import WorldError
from harness.world.model import (
    DEFAULT_MODES,
    ROOT,
    AclEntry,
    Attempt,
    Node,
    NodeKind,
    Operation,
    Principal,
    SocketState,
    SocketType,
    User,
    World,
)
from harness.world.toml import dumps, load, loads
from harness.world.validation import complete, problems

__all__ = [
    "DEFAULT_MODES",
    "ROOT",
    "AclEntry",
    "Attempt",
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
