"""The part of the live machine that one attempt meets, as a world: what `explain` judges and `capture` writes."""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from harness.live.components import look
from harness.live.mounts import read_mounts
from harness.live.sockets import FoundSocket, SocketsUnknownError, abstract, behind, socket_file
from harness.live.sysctls import read_sysctls
from harness.world import AclEntry, Attempt, Node, User, World, complete

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from harness.live.actor import Actor
    from harness.live.components import Component
    from harness.live.mounts import MountPoint
    from harness.world import Operation, SocketType

FOLLOWING = frozenset({"connect", "stat", "chmod"})
"""Operations that follow a symlink at the end of their path."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,31}")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What somebody wants to do, as an `Attempt` says it; without `type` it is the listener's."""

    operation: Operation
    path: str
    to: str | None = None
    mode: int | None = None
    type: SocketType | None = None
    cwd: str | None = None


@dataclass(frozen=True, slots=True)
class Scene:
    """A world with one attempt. `hidden` is the first component that we may not look at.

    `root` is the root directory, which no world can make. `doubts` are sentences on what could not be known.
    `unmapped` are the paths over which the actor's capabilities don't count. `unknown` is a sentence where the kernel
    did not say who holds the socket; the world has a listener there then, so that everything else can be judged.
    """

    world: World
    attempt: Attempt
    hidden: str | None
    root: Component | None
    doubts: tuple[str, ...]
    unmapped: frozenset[str]
    unknown: str | None = None


def scene(actor: Actor, wanted: Wanted) -> Scene:
    """Look at everything that decides what an actor wants. Raises OSError where the root directory is closed."""
    paths = [wanted.path] if wanted.to is None else [wanted.path, wanted.to]
    components: dict[str, Component] = {}
    hidden: str | None = None
    follow = wanted.operation in FOLLOWING
    for path in paths if not wanted.path.startswith("@") else []:
        sight = look(posixpath.join(wanted.cwd or "/", path), root=actor.root, follow=follow)
        components.update({component.path: component for component in sight.components})
        hidden = hidden or sight.hidden
    root = components.pop("/", None)
    process = "self" if actor.process is None else str(actor.process.pid)
    doubts: list[str] = []
    known = _known_mounts(process, doubts)
    mounts = _mounts(known, components)
    # A chroot's own directory may be no mount that its processes are told of.
    all_known = known if process == "self" else (*known, *_known_mounts("self", doubts))
    listeners, unknown = _listeners(wanted, components, all_known, doubts)
    names = _Names(actor, components.values())
    nodes = [_node(component, mounts.get(path), listeners.get(path), names) for path, component in components.items()]
    if wanted.operation in {"unlink", "rename"}:
        nodes = [bound for node in nodes for bound in _mounted_upon(node, mounts)]
    if wanted.path.startswith("@"):
        node, unknown = _abstract_node(wanted, process)
        nodes += [] if node is None else [node]
    attempt = Attempt(
        names.subject.name, wanted.operation, wanted.path, wanted.to, wanted.mode, _type(wanted, nodes), wanted.cwd
    )
    world = complete(
        World(
            name=names.label(wanted.path),
            about=f"{names.subject.name} wants to {wanted.operation} {wanted.path}",
            groups=names.groups,
            users=names.users(),
            nodes=tuple(nodes),
            attempts=(attempt,),
            sysctls=read_sysctls(),
        )
    )
    unmapped = frozenset(
        path
        for path, component in components.items()
        if not actor.maps(component.status.st_uid, component.status.st_gid)
    )
    return Scene(world, attempt, hidden, root, tuple(doubts), unmapped, unknown)


def _known_mounts(process: str, doubts: list[str]) -> tuple[MountPoint, ...]:
    try:
        return read_mounts(process)
    except OSError as error:
        doubts.append(f"the mounts can't be read ({error.strerror}): one that is read-only is not seen")
        return ()


def _listeners(
    wanted: Wanted, components: Mapping[str, Component], mounts: Iterable[MountPoint], doubts: list[str]
) -> tuple[dict[str, FoundSocket], str | None]:
    """The socket behind each component that is one, and the `unknown` of a `Scene`."""
    listeners: dict[str, FoundSocket] = {}
    unknown = None
    for path, component in components.items():
        if component.kind != "socket":
            continue
        try:
            listeners[path] = behind(socket_file(component, mounts))
        except SocketsUnknownError as error:
            listeners[path] = FoundSocket(wanted.type or "stream", "listening")
            if wanted.operation == "connect":
                unknown = f"whether anybody listens at {path} is not known: {error}"
            continue
        if listeners[path].doubt is not None:
            doubts.append(f"{path}: {listeners[path].doubt}")
    return listeners, unknown


def _abstract_node(wanted: Wanted, process: str) -> tuple[Node | None, str | None]:
    """The socket that an attempt on an abstract name meets, and the `unknown` of a `Scene`.

    Sockets of each type have names of their own.
    """
    unknown = None
    try:
        held = [one for one in abstract(wanted.path, process) if one.state != "stale"]
    except SocketsUnknownError as error:
        held = [FoundSocket(wanted.type or "stream", "listening")]
        unknown = f"whether anybody holds the name {wanted.path} is not known: {error}"
    if wanted.type is not None or wanted.operation != "connect":
        held = [one for one in held if one.type == (wanted.type or "stream")]
    met = next((one for one in held if one.state == "listening"), held[0] if held else None)
    return None if met is None else Node(wanted.path, "socket", type=met.type, state=met.state), unknown


def _type(wanted: Wanted, nodes: Iterable[Node]) -> SocketType:
    """The type of the socket that is tried: the one wanted, else for a connection the listener's."""
    if wanted.type is not None:
        return wanted.type
    for node in nodes:
        if node.kind == "socket" and wanted.operation == "connect":
            return node.type
    return "stream"


class _Names:
    """Names for the ids that matter, and for no others: the actor's, and those of the components."""

    def __init__(self, actor: Actor, components: Iterable[Component]) -> None:
        self.groups: dict[str, int] = {}
        self._accounts = actor.accounts
        self._users: dict[int, User] = {}
        components = list(components)
        principal = actor.principal
        for gid in (principal.gid, *principal.groups, *(component.status.st_gid for component in components)):
            self.group(gid)
        for entry in (entry for component in components for entry in component.acl):
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
        self._users[uid] = User(account.name, uid, self.group(account.gid))
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


def _mounts(known: Iterable[MountPoint], components: Mapping[str, Component]) -> dict[str, MountPoint]:
    """The topmost mount on each component that is a mount point.

    The root directory's own mount no world can make; if it is read-only, that is told of the first component instead.
    """
    points = {mount.path: mount for mount in known}
    found = {path: points[path] for path in components if path in points}
    top = next((path for path in components if components[path].kind == "directory"), None)
    if top is not None and top not in found and "/" in points and "ro" in points["/"].options:
        found[top] = replace(points["/"], path=top)
    return found


def _node(component: Component, mount: MountPoint | None, listener: FoundSocket | None, names: _Names) -> Node:
    status = component.status
    owner, group = names.user(status.st_uid), names.group(status.st_gid)
    if component.kind == "symlink":
        return Node(component.path, "symlink", owner, group, 0o777, target=component.target)
    acl = tuple(_named(entry, names) for entry in component.acl)
    mode = status.st_mode & 0o7777
    if component.kind == "directory" and mount is not None:
        return Node(component.path, "mount", owner, group, mode, acl=acl, fs="tmpfs", options=mount.options)
    if listener is None:
        return Node(component.path, component.kind, owner, group, mode, acl=acl)
    return Node(component.path, "socket", owner, group, mode, acl=acl, type=listener.type, state=listener.state)


def _mounted_upon(node: Node, mounts: Mapping[str, MountPoint]) -> tuple[Node, ...]:
    """A node that something is mounted upon, such as a socket that was brought into a container, as a bind mount."""
    if node.path not in mounts or node.kind == "mount":
        return (node,)
    source = f"/.mounted{node.path}"
    options = (f"from={source}", *mounts[node.path].options)
    return replace(node, path=source), Node(node.path, "mount", fs="bind", options=options)


def _named(entry: AclEntry, names: _Names) -> AclEntry:
    if not isinstance(entry.who, int):
        return entry
    return replace(entry, who=names.group(entry.who) if entry.tag == "group" else names.user(entry.who))
