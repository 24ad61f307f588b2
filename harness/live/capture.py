"""A scene as a world that can be built elsewhere: only what decides, and no more names than that takes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from harness.live.advice import after_login
from harness.world import ALLOW_OTHER, Node, User

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.live.actor import Actor
    from harness.live.judgement import Judgement
    from harness.live.mounts import MountPoint
    from harness.live.scene import Scene
    from harness.world import World

SOURCES: Final = "/.mounted"
"""Where the world has what is mounted elsewhere."""
NETWORK: Final = "elsewhere"
"""What the world calls the network namespace of a name that is held in another one."""
SESSION: Final = "-before"
"""What the world adds to an account's name for a process that is older than a group of that account."""
_CHANGING = frozenset({"bind", "unlink", "rename", "chmod"})


def captured(actor: Actor, scene: Scene, judgement: Judgement) -> World:
    """The world, its attempt with the outcome that is predicted for this machine.

    A process that lacks groups of its account is a user beside that: what the account is given, it does not get.

    Mounts count only where something is to be changed, where they are FUSE's, or where they show what has been deleted;
    elsewhere a mounted directory is one like any other.
    """
    decision = judgement.decision
    attempt = replace(scene.attempt, expect=decision.outcome, at=None if decision.outcome == "ok" else decision.at)
    nodes = scene.world.nodes
    if scene.attempt.operation not in _CHANGING:
        nodes = tuple(_unmounted(node) for node in nodes)
    made = [each for node in nodes for each in _made(scene, node)]
    if judgement.held_elsewhere:
        made.append(Node(attempt.path, "socket", type=attempt.type, network=NETWORK))
    world = replace(scene.world, nodes=tuple(made), attempts=(attempt,))
    return world if after_login(actor) is None else _with_account(actor, world)


def _with_account(actor: Actor, world: World) -> World:
    """The world with the account of who asks, who is called otherwise; it has those groups that the world names."""
    assert actor.database is not None
    (attempt,) = world.attempts
    names = {gid: name for name, gid in world.groups.items()}
    fresh = actor.database
    groups = tuple(names[gid] for gid in fresh.groups if gid in names)
    account = User(attempt.user, fresh.uid, names.get(fresh.gid, fresh.gid), groups)
    session = f"{attempt.user}{SESSION}"
    users = [replace(user, name=session) if user.name == attempt.user else user for user in world.users]
    users.insert([user.name for user in users].index(session), account)
    return replace(world, users=tuple(users), attempts=(replace(attempt, user=session),))


def _unmounted(node: Node) -> Node:
    return replace(node, kind="directory", fs=None, options=()) if node.kind == "mount" else node


def _made(scene: Scene, node: Node) -> Iterator[Node]:
    """The nodes that make what was seen as one."""
    mount = scene.mounts.get(node.path)
    component = scene.components.get(node.path)
    if node.kind == "socket" and scene.listener is not None and scene.listener.full:
        node = replace(node, state="full")
    if mount is not None and mount.fuse is not None:
        yield from _through_fuse(scene, node, mount)
    elif component is not None and component.kind != "symlink" and component.status.st_nlink == 0:
        source = f"{SOURCES}{node.path}"
        yield replace(_unmounted(node), path=source, state="stale" if node.kind == "socket" else node.state)
        yield Node(node.path, "mount", fs="bind", options=(f"from={source}",))
        yield Node(source, "absent", mode=0)
    else:
        yield node


def _through_fuse(scene: Scene, node: Node, mount: MountPoint) -> Iterator[Node]:
    """What a FUSE mount shows is made where it comes from; a socket that is reached by the mount is bound there."""
    fuse, path = mount.fuse, node.path
    assert fuse is not None
    source = f"{SOURCES}{mount.path}"
    reached = all(one.at != path or one.outcome != "ECONNREFUSED" for one in scene.obstacles)
    if node.kind == "socket" and node.state != "stale" and reached:
        yield replace(node, acl=())
        return
    yield replace(_unmounted(node), path=source + path[len(mount.path) :])
    if path == mount.path:
        allow = (ALLOW_OTHER,) if fuse.allow_other else ()
        kept = node.options if node.kind == "mount" else ()
        yield Node(path, "mount", fuse.uid, fuse.gid, fs="fuse", options=(f"from={source}", *allow, *kept))
