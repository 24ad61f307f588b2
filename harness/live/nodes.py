"""The nodes of a world for what was seen, with names for the ids that matter and for no others."""

from __future__ import annotations

import posixpath
import re
from dataclasses import replace
from typing import TYPE_CHECKING

from harness.world import AclEntry, Node, User
from harness.world.standard import STANDARD_DIRECTORIES, STANDARD_LINKS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from harness.live.actor import Actor
    from harness.live.components import Component
    from harness.live.mounts import MountPoint
    from harness.live.sockets import FoundSocket

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,31}")


class Names:
    """Names for the actor's ids and those of the components."""

    def __init__(self, actor: Actor, components: Iterable[Component]) -> None:
        self.groups: dict[str, int] = {}
        self._accounts = actor.accounts
        self._users: dict[int, User] = {}
        components = list(components)
        principal = actor.principal
        for gid in (principal.gid, *principal.groups, *(component.status.st_gid for component in components)):
            self.group(gid)
        for entry in (entry for component in components for entry in component.acl or ()):
            if isinstance(entry.who, int):
                self.group(entry.who) if entry.tag == "group" else self.user(entry.who)
        for component in components:
            self.user(component.status.st_uid)
        self.subject = User(
            actor.name if _NAME.fullmatch(actor.name) else f"uid-{principal.uid}",
            principal.uid,
            self.group(principal.gid),
            tuple(self.group(gid) for gid in principal.groups),
            principal.capabilities,
            actor.filtered.refused,
        )

    def group(self, gid: int) -> str:
        """The group's name, else `gid-N`; it belongs to the world from now on."""
        for known, number in self.groups.items():
            if number == gid:
                return known
        name = "root" if gid == 0 else self._accounts.group(gid)
        if name is None or not _NAME.fullmatch(name) or name in self.groups or (name == "root" and gid != 0):
            name = f"gid-{gid}"
        self.groups[name] = gid
        return name

    def user(self, uid: int) -> str | int:
        """The user's name, which belongs to the world from now on; the number where nobody has it."""
        if uid == 0:
            return "root"
        if uid in self._users:
            return self._users[uid].name
        account = self._accounts.user(uid)
        if account is None or not _NAME.fullmatch(account.name) or account.name == "root":
            return uid
        # With all their groups, so that it can be told who else gets in by a change.
        self._users[uid] = User(account.name, uid, self.group(account.gid), tuple(map(self.group, account.groups)))
        return account.name

    def users(self) -> tuple[User, ...]:
        """The actor, and the users who own something or whom an ACL names."""
        others = (user for user in self._users.values() if user.name != self.subject.name)
        if self.subject.name == "root":
            return (self.subject, *others)
        return (User("root", 0, "root"), self.subject, *others)

    def label(self, path: str) -> str:
        """A name for the world."""
        return f"{self.subject.name}-{posixpath.basename(path.rstrip('/')) or 'root'}"


def node(component: Component, mount: MountPoint | None, listener: FoundSocket | None, names: Names) -> Node:
    """What was seen as a node; a directory that something is mounted upon as a mount."""
    status = component.status
    owner, group = names.user(status.st_uid), names.group(status.st_gid)
    if component.kind == "symlink":
        return Node(component.path, "symlink", owner, group, 0o777, target=component.target)
    acl = tuple(_named(entry, names) for entry in component.acl or ())
    mode = status.st_mode & 0o7777
    if component.kind == "directory" and mount is not None:
        return Node(component.path, "mount", owner, group, mode, acl=acl, fs="tmpfs", options=mount.options)
    if listener is None:
        return Node(component.path, component.kind, owner, group, mode, acl=acl)
    return Node(component.path, "socket", owner, group, mode, acl=acl, type=listener.type, state=listener.state)


def not_there(path: str) -> tuple[Node, ...]:
    """What takes away from a world the directory or link that is in every place, and is not on this machine."""
    if path not in STANDARD_DIRECTORIES and path not in STANDARD_LINKS:
        return ()
    return Node(path, "directory"), Node(path, "absent", mode=0)


def mounted_upon(node: Node, mounts: Mapping[str, MountPoint]) -> tuple[Node, ...]:
    """A node that something is mounted upon, such as a socket that was brought into a container, as a bind mount."""
    if node.path not in mounts or node.kind == "mount":
        return (node,)
    source = f"/.mounted{node.path}"
    options = (f"from={source}", *mounts[node.path].options)
    return replace(node, path=source), Node(node.path, "mount", fs="bind", options=options)


def _named(entry: AclEntry, names: Names) -> AclEntry:
    if not isinstance(entry.who, int):
        return entry
    return replace(entry, who=names.group(entry.who) if entry.tag == "group" else names.user(entry.who))
