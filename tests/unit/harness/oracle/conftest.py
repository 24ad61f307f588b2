"""Small worlds for the oracle: users with usual ids, and one question at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness.oracle import decide, linux, predict
from harness.world import AclEntry, Attempt, Node, User, World, complete, problems

if TYPE_CHECKING:
    from harness.oracle import Decision, Rules

USERS = (
    User("alice", 1000, 1000),
    User("bob", 1001, 1001, ("web",)),
    User("carol", 1002, "web"),
    User("dan", 1003, 1003),
    User("powerless", 0, 0, capabilities=frozenset()),
    User("reader", 1004, 1004, capabilities=frozenset({"CAP_DAC_READ_SEARCH"})),
    User("overrider", 1005, 1005, capabilities=frozenset({"CAP_DAC_OVERRIDE"})),
    User("fowner", 1006, 1006, capabilities=frozenset({"CAP_FOWNER"})),
)


def world_of(*nodes: Node, attempts: tuple[Attempt, ...] = ()) -> World:
    """A world with everybody and these nodes."""
    world = complete(World("w", groups={"web": 2000, "ops": 2001}, users=USERS, nodes=nodes, attempts=attempts))
    assert not list(problems(world))
    return world


def ask(user: str, operation: Any, path: str, *nodes: Node, rules: Rules | None = None, **more: Any) -> Decision:
    """The decision on one attempt in a world of these nodes."""
    attempt = Attempt(user, operation, path, **more)
    return decide(world_of(*nodes, attempts=(attempt,)), attempt, rules or linux())


def outcome(user: str, operation: Any, path: str, *nodes: Node, rules: Rules | None = None, **more: Any) -> str:
    """The outcome alone."""
    attempt = Attempt(user, operation, path, **more)
    return predict(world_of(*nodes, attempts=(attempt,)), (attempt,), rules or linux())[0].outcome


def outcomes(*attempts: Attempt, nodes: tuple[Node, ...], rules: Rules | None = None) -> list[str]:
    """The outcomes of attempts made in order."""
    return [decision.outcome for decision in predict(world_of(*nodes), attempts, rules or linux())]


def socket(path: str = "/run/s", mode: int = 0o755, owner: str = "alice", group: str = "web", **more: Any) -> Node:
    """A listening socket of alice and the group web."""
    return Node(path, "socket", owner, group, mode, **more)


def directory(path: str, mode: int, owner: str = "alice", group: str = "web", **more: Any) -> Node:
    """A directory of alice and the group web."""
    return Node(path, "directory", owner, group, mode, **more)


def link(path: str, target: str, owner: str = "root") -> Node:
    """A symlink."""
    return Node(path, "symlink", owner, target=target, mode=0o777)


def entry(text: str) -> AclEntry:
    """`user:bob:6`."""
    tag, who, bits = text.split(":")
    return AclEntry(tag, who or None, int(bits))  # type: ignore[arg-type]
