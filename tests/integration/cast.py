"""Who takes part in the integration tests, and where the server stands."""

from __future__ import annotations

import sys
from dataclasses import dataclass

from harness.world import Attempt, Node, User, World

MODES = (0o600, 0o660, 0o666, 0o220, 0o440, 0o606, 0o066, 0o000)

CAST = World(
    name="cast",
    about="Everybody who tries to reach alice's server.",
    groups={"staff": 2000, "team": 2001},
    users=tuple(
        user
        for user in (
            User("root", 0, 0),
            User("bare", 0, 0, capabilities=frozenset()),
            User("alice", 1500, "staff", ("team",)),
            User("bob", 1501, "staff"),
            User("carol", 1502, 1502, ("staff",)),
            User("dave", 1503, 1503, ("team",)),
            User("mallory", 1504, 1504),
            User("reader", 1505, 1505, capabilities=frozenset({"CAP_DAC_READ_SEARCH"})),
        )
        if user.capabilities is None or sys.platform == "linux"
    ),
    nodes=(
        Node("/home/alice", "directory", "alice", "staff", 0o700),
        Node("/tmp", "directory", "root", "root", 0o1777),
        Node("/run/user", "directory", "root", "root", 0o755),
        Node("/run/user/1500", "directory", "alice", "staff", 0o700),
        Node("/srv/team", "directory", "alice", "team", 0o2750),
    ),
)


@dataclass(frozen=True)
class Layout:
    """A place for the server's socket, and the group that a new file there gets."""

    name: str
    socket: str
    group: str


LAYOUTS = (
    Layout("tmp", "/tmp/observatory.sock", "staff"),
    Layout("run-user", "/run/user/1500/observatory.sock", "staff"),
    Layout("team", "/srv/team/observatory.sock", "team"),
)


def with_socket(layout: Layout, mode: int, group: str | None = None) -> World:
    """The world as it should be once alice's server listens there: what the oracle judges by."""
    socket = Node(layout.socket, "socket", "alice", group or layout.group, mode)
    attempts = tuple(Attempt(user.name, "connect", layout.socket) for user in CAST.users)
    return World(
        name=f"observatory-{layout.name}-{mode:04o}",
        about=f"alice serves at {layout.socket} with mode {mode:04o}.",
        groups=CAST.groups,
        users=CAST.users,
        nodes=(*CAST.nodes, socket),
        attempts=attempts,
    )
