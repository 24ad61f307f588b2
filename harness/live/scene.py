"""The part of the live machine that one attempt meets, as a world: what `explain` judges and `capture` writes."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

from harness.live import attributes, filesystems, ptrace
from harness.live.bound_file import is_bound
from harness.live.components import Component, Hidden, look
from harness.live.mounts import read_mounts
from harness.live.nodes import Names, mounted_upon, node, not_there
from harness.live.obstacle import Obstacle
from harness.live.pid_namespace import thread_group
from harness.live.sockets import FoundSocket, SocketsUnknownError, abstract, behind, socket_file
from harness.live.sysctls import read_sysctls
from harness.live.unit_directories import as_started
from harness.oracle import Change
from harness.world import OPERATIONS, Attempt, Node, World, complete

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from harness.live.actor import Actor
    from harness.live.mounts import MountPoint
    from harness.world import Operation, SocketType, User


@dataclass(frozen=True, slots=True)
class Wanted:
    """What somebody wants to do, as an `Attempt` says it; without `type` it is the listener's."""

    operation: Operation
    path: str
    to: str | None = None
    mode: int | None = None
    type: SocketType | None = None
    cwd: str | None = None
    owner: int | None = None
    group: int | None = None


@dataclass(frozen=True, slots=True)
class Scene:
    """A world with one attempt. `hidden` is the first component that we may not look at.

    `root` is the root directory, which no world can make. `doubts` are sentences on what could not be known, or
    will be so only when a service is started.
    `unmapped` are the paths over which the actor's capabilities don't count. `unknown` is a sentence where the kernel
    did not say who holds the socket; the world has a listener there then, so that everything else can be judged.
    `way` are the paths in the order in which a lookup passes them, `obstacles` what may refuse beside permission bits,
    and `modeless` the paths whose modes are not the kernel's. `titles` say what is mounted upon a path. `components`,
    `mounts` (of each component) and `listener` are what was seen. `ends` are what the path names, and rename's second,
    there or not, with symlinks resolved; None where a lookup ends before.
    """

    world: World
    attempt: Attempt
    hidden: str | None
    root: Component | None
    doubts: tuple[str, ...]
    unmapped: frozenset[str]
    unknown: str | None = None
    way: tuple[str, ...] = ()
    obstacles: tuple[Obstacle, ...] = ()
    modeless: frozenset[str] = frozenset()
    titles: Mapping[str, str] = field(default_factory=dict[str, str])
    components: Mapping[str, Component] = field(default_factory=dict[str, "Component"])
    mounts: Mapping[str, MountPoint] = field(default_factory=dict[str, "MountPoint"])
    listener: FoundSocket | None = None
    ends: tuple[str | None, ...] = ()

    def with_subject(self, change: Callable[[User], User]) -> Scene:
        """The scene with a change to who asks."""
        users = tuple(change(user) if user.name == self.attempt.user else user for user in self.world.users)
        return replace(self, world=replace(self.world, users=users))


def scene(actor: Actor, wanted: Wanted) -> Scene:
    """Look at everything that decides what an actor wants. Raises OSError where the root directory is closed."""
    doubts: list[str] = []
    components, hidden, missing, ends = _seen(actor, wanted, doubts)
    root = components.pop("/", None)
    known = _known_mounts(actor, components.values(), doubts)
    above = {path: known.get(one.mount) for path, one in components.items() if one.mount is not None}
    on = {path: mount for path, mount in above.items() if mount is not None}
    # FUSE shows ACLs, which the kernel does not heed there (`fuse_get_inode_acl` in fs/fuse/acl.c).
    components = {
        path: replace(one, acl=()) if path in on and on[path].fuse else one for path, one in components.items()
    }
    if hidden is not None and hidden.mount is None:
        hidden = replace(
            hidden, mount=next((mount.number for mount in known.values() if mount.path == hidden.path), None)
        )
    points = _mount_points(components, on, root, known)
    listeners, unknown, beyond = _listeners(actor, wanted, components, on, known.values())
    names = Names(actor, components.values())
    nodes = [node(one, points.get(path), listeners.get(path), names) for path, one in components.items()]
    nodes += [each for path in missing for each in not_there(path)]
    if wanted.operation in {"unlink", "rename"}:
        nodes = [bound for each in nodes for bound in mounted_upon(each, points)]
    listener = next(iter(listeners.values()), None)
    if wanted.path.startswith("@"):
        listener, unknown = _abstract_listener(wanted, actor)
        if listener is not None:
            nodes.append(Node(wanted.path, "socket", type=listener.type, state=listener.state))
    attempt = Attempt(
        names.subject.name,
        wanted.operation,
        wanted.path,
        wanted.to,
        wanted.mode,
        _type(wanted, nodes),
        wanted.cwd,
        owner=None if wanted.owner is None else names.user(wanted.owner),
        group=None if wanted.group is None else names.group(wanted.group),
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
        path for path, one in components.items() if not actor.maps(one.status.st_uid, one.status.st_gid)
    )
    first_root = () if root is None else (root,)
    way = (*first_root, *components.values(), *(() if hidden is None else (hidden,)))
    return Scene(
        world,
        attempt,
        None if hidden is None else hidden.path,
        root,
        tuple(doubts),
        unmapped,
        unknown,
        tuple(dict.fromkeys(one.path for one in way)),
        (*_obstacles(actor, wanted, way, known, listener, ends), *beyond),
        frozenset((*_modeless(on), *_own_files(actor, components.values()))),
        _titles(points, hidden, known, actor),
        components,
        on,
        listener,
        ends,
    )


def _seen(
    actor: Actor, wanted: Wanted, doubts: list[str]
) -> tuple[dict[str, Component], Hidden | None, list[str], tuple[str | None, ...]]:
    """The components of the path, and of rename's second, in the order of a lookup; at which nothing is; the ends."""
    components: dict[str, Component] = {}
    missing: list[str] = []
    ends: list[str | None] = []
    hidden: Hidden | None = None
    paths = [wanted.path] if wanted.to is None else [wanted.path, wanted.to]
    for path in paths if not wanted.path.startswith("@") else []:
        whole, follow = posixpath.join(wanted.cwd or "/", path), OPERATIONS[wanted.operation].follows
        sight, told = as_started(
            actor, whole, look(whole, root=actor.root, follow=follow, pid=actor.pid), follow=follow
        )
        doubts += told
        for component in sight.components:
            components.setdefault(component.path, component)
        hidden = hidden or sight.hidden
        missing += [] if sight.missing is None else [sight.missing]
        ends.append(sight.end)
    return components, hidden, missing, tuple(ends)


def _known_mounts(actor: Actor, components: Iterable[Component], doubts: list[str]) -> dict[int, MountPoint]:
    """The mounts that we, the actor and the processes on the way see, by their numbers, which are the machine's."""
    processes = {str(one.process) for one in components if one.process is not None}
    known: dict[int, MountPoint] = {}
    for process in ("self", *(() if actor.process is None else (str(actor.process.pid),)), *sorted(processes)):
        try:
            known |= {mount.number: mount for mount in read_mounts(process)}
        except OSError as error:
            doubts.append(f"the mounts of process {process} can't be read ({error.strerror}), so they are not known")
    return known


def _mount_points(
    components: Mapping[str, Component],
    on: Mapping[str, MountPoint],
    root: Component | None,
    known: Mapping[int, MountPoint],
) -> dict[str, MountPoint]:
    """The mount on each component that is a mount point: one that is on another mount than what it is in.

    The root directory's own mount no world can make; if it is read-only, that is told of the first component instead.
    """
    found: dict[str, MountPoint] = {}
    top = known.get(root.mount) if root is not None and root.mount is not None else None
    for path, component in components.items():
        parent = posixpath.dirname(path)
        outer = top if parent == "/" else on.get(parent)
        mount = on.get(path)
        if mount is not None and outer is not None and mount.number != outer.number and component.process is None:
            found[path] = mount
    first = next((path for path, one in components.items() if one.kind == "directory"), None)
    if first is not None and first not in found and top is not None and "ro" in top.options:
        found[first] = replace(top, path=first)
    return found


def _titles(
    points: Mapping[str, MountPoint], hidden: Hidden | None, known: Mapping[int, MountPoint], actor: Actor
) -> dict[str, str]:
    """What is mounted upon each mount point, that which could not be looked at too."""
    titles = {path: filesystems.title(mount, actor) for path, mount in points.items()}
    mount = known.get(hidden.mount) if hidden is not None and hidden.mount is not None else None
    if hidden is not None and mount is not None and mount.path == hidden.path:
        titles[hidden.path] = filesystems.title(mount, actor)
    return titles


def _obstacles(
    actor: Actor,
    wanted: Wanted,
    way: Sequence[Component | Hidden],
    known: Mapping[int, MountPoint],
    listener: FoundSocket | None,
    ends: Sequence[str | None],
) -> Iterator[Obstacle]:
    yield from _links(actor, way)
    yield from filesystems.obstacles(way, known, actor)
    seen = {one.path: one for one in way if isinstance(one, Component)}
    if ends and ends[0] is not None:
        yield from attributes.obstacles(wanted.operation, seen, ends[0])
    last = way[-1] if way else None
    if isinstance(last, Component) and wanted.operation == "bind" and last.kind == "directory":
        yield from filesystems.obstacles_to_bind(last, None if last.mount is None else known.get(last.mount))
    if wanted.operation == "connect" and listener is not None and listener.full:
        at = last.path if last is not None else wanted.path
        yield _queue(at, listener)


def _queue(at: str, listener: FoundSocket) -> Obstacle:
    change = Change("elsewhere", at, "look why its server accepts nobody, or restart it with a longer backlog", 0)
    return Obstacle(
        at,
        "EAGAIN",
        f"the queue of {at} is full: {listener.waiting} wait where {listener.room} may, so a client that does not "
        "block is told EAGAIN, and one that does hangs until the server accepts",
        (change,),
        last=True,
        layer="socket",
    )


def _modeless(on: Mapping[str, MountPoint]) -> Iterator[str]:
    yield from (path for path, mount in on.items() if not filesystems.modes_count(mount))


def _own_files(actor: Actor, components: Iterable[Component]) -> Iterator[str]:
    """The directories of /proc with one's own open files, which are open to oneself, also where they are root's since
    one may not be dumped (proc_fd_permission in fs/proc/fd.c).
    """
    for one in components:
        if one.holder is not None and _is_of(actor, one.holder):
            yield one.path


def _is_of(actor: Actor, thread: int) -> bool:
    """Whether a thread is of the process that is meant."""
    try:
        return thread_group(thread) == thread_group(actor.pid)
    except OSError:
        return False


def _links(actor: Actor, way: Iterable[Component | Hidden]) -> Iterator[Obstacle]:
    """The links of /proc that lead to a thing, each with the ptrace check that the kernel makes of the actor."""
    for one in way:
        if one.process is None or _is_of(actor, one.process):
            continue
        try:
            process = ptrace.traced(one.process)
        except OSError as error:
            yield Obstacle(one.path, None, f"whether {actor.name} may follow {one.path} is not known: {error.strerror}")
            continue
        why = ptrace.why_not(process, actor.principal, actor.capabilities, alike=process.namespace == actor.namespace)
        if why is not None:
            yield Obstacle(
                one.path,
                "EACCES",
                f"{actor.name} may not follow {one.path}, a link of process {one.process} that takes the ptrace check: "
                f"{why}, and {actor.name} lacks CAP_SYS_PTRACE",
                (Change("elsewhere", one.path, "ask as root, who has CAP_SYS_PTRACE", 0),),
            )


def _listeners(
    actor: Actor,
    wanted: Wanted,
    components: Mapping[str, Component],
    on: Mapping[str, MountPoint],
    mounts: Iterable[MountPoint],
) -> tuple[dict[str, FoundSocket], str | None, tuple[Obstacle, ...]]:
    """The socket behind each component that is one, the `unknown` of a `Scene`, and where it is known to be elsewhere.

    There the world has a listener, so that everything before the obstacle can be judged.
    """
    listeners: dict[str, FoundSocket] = {}
    unknown = None
    beyond: tuple[Obstacle, ...] = ()
    for path, component in components.items():
        if component.kind != "socket":
            continue
        try:
            listeners[path] = behind(socket_file(component, mounts), path, partial(is_bound, component, actor.root))
        except SocketsUnknownError as error:
            listeners[path] = FoundSocket(wanted.type or "stream", "listening")
            if wanted.operation == "connect":
                unknown = f"whether anybody listens at {path} is not known: {error}"
            continue
        obstacle = filesystems.out_of_reach(component, on.get(path))
        if listeners[path].state == "stale" and obstacle is not None and wanted.operation == "connect":
            listeners[path] = FoundSocket(wanted.type or "stream", "listening")
            beyond = (obstacle,)
    return listeners, unknown, beyond


def _abstract_listener(wanted: Wanted, actor: Actor) -> tuple[FoundSocket | None, str | None]:
    """The socket that an attempt on an abstract name meets, and the `unknown` of a `Scene`.

    Sockets of each type have names of their own.
    """
    unknown = None
    process = "self" if actor.process is None else str(actor.process.pid)
    try:
        held = list(abstract(wanted.path, process))
    except SocketsUnknownError as error:
        held = [FoundSocket(wanted.type or "stream", "listening")]
        unknown = f"whether anybody holds the name {wanted.path} is not known: {error}"
    if wanted.type is not None or wanted.operation != "connect":
        held = [one for one in held if one.type == (wanted.type or "stream")]
    return next((one for one in held if one.state == "listening"), held[0] if held else None), unknown


def _type(wanted: Wanted, nodes: Iterable[Node]) -> SocketType:
    """The type of the socket that is tried: the one wanted, else for a connection the listener's."""
    if wanted.type is not None:
        return wanted.type
    for each in nodes:
        if each.kind == "socket" and wanted.operation == "connect":
            return each.type
    return "stream"
