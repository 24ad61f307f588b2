"""A world: users, groups, nodes and attempts as frozen data, in TOML and back."""

from harness.world.model import (
    AclEntry,
    Attempt,
    Kind,
    Node,
    Operation,
    Principal,
    SocketType,
    User,
    World,
)

__all__ = [
    "AclEntry",
    "Attempt",
    "Kind",
    "Node",
    "Operation",
    "Principal",
    "SocketType",
    "User",
    "World",
]
