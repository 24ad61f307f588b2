"""Who takes part in the checks, and where the server's socket stands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from harness.world import Node, User, World

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Location = Literal["own", "tmp"]
"""own: a directory of the server's user that everyone may search; tmp: /tmp, where everyone may write."""

TOP = "/run/check"
OWN = f"{TOP}/way/in"
STATE = f"{TOP}/state"
TMP = "/tmp"  # the subject of the checks that lie in wait there

OWNER_ID, GROUP_ID, ACCOUNT_IDS = 1500, 1600, 1700
UNMAPPED_BUT_VALID = 4_294_967_290
"""A uid beyond 2^31: negative to those who read it as signed."""


def cast(owner: str, group: str | None, accounts: Sequence[str] = (), socket_owner: str | None = None) -> World:
    """The users of the checks: the server's, its group's members by either way, and outsiders of several kinds.

    `group` is the group that the server's socket is to have; without one it has the own group of `socket_owner`, whose
    the socket is to be (without one: `owner`). `accounts` are other users that the server names.
    """
    root = owner == "root"
    groups = {} if group is None else {group: GROUP_ID}
    own_gid = 0 if root else OWNER_ID
    if socket_owner is not None and socket_owner in accounts:
        own_gid = ACCOUNT_IDS + list(accounts).index(socket_owner)
    socket_gid = own_gid if group is None else GROUP_ID
    served = () if group is None else (group,)
    users = [
        User("root", 0, 0, served if root else ()),
        User("bare", 0, 0, capabilities=frozenset()),
        *(() if root else (User(owner, OWNER_ID, OWNER_ID, served),)),
        *(User(name, ACCOUNT_IDS + number, ACCOUNT_IDS + number) for number, name in enumerate(accounts)),
        User("colleague", 1501, socket_gid),
        User("member", 1502, 1502, (socket_gid,)),
        User("stranger", 1503, 1503),
        User("searcher", 1504, 1504, capabilities=frozenset({"CAP_DAC_READ_SEARCH"})),
    ]
    if group is not None:
        users.append(User("kin", 1505, own_gid))
    return World(
        name="check",
        about=f"{owner}'s server, and those who may and may not reach it.",
        groups=groups,
        users=tuple(users),
    )


def lay(world: World, location: Location, owner: str, extra: Iterable[Node] = ()) -> World:
    """The world with the directory for the socket, and the server's own directory for its state, in memory."""
    gid = world.user(owner).gid
    nodes = [
        Node(TOP, "directory", "root", "root", 0o755),
        Node(STATE, "mount", owner, gid, 0o700, fs="tmpfs"),
        Node(f"/home/{owner}", "directory", owner, gid, 0o700),
    ]
    if location == "tmp":
        nodes.append(Node(TMP, "directory", "root", "root", 0o1777))
    else:
        nodes += [
            Node(f"{TOP}/way", "directory", "root", "root", 0o755),
            Node(OWN, "directory", owner, gid, 0o755),
        ]
    return World(name=world.name, about=world.about, groups=world.groups, users=world.users, nodes=(*nodes, *extra))


def directory(location: Location) -> str:
    """Where the socket of a location is."""
    return TMP if location == "tmp" else OWN
