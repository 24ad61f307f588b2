"""What SELinux says: the contexts of process, path and listener, and the policy's own answer to them (selinux(8)).

Two contexts and a class are written to `access` of its file system, and what the policy allows is read back, with
whether the domain is permissive (`sel_write_access` in security/selinux/selinuxfs.c, `avc_has_perm` asks the same).
"""

from __future__ import annotations

import errno
import os
import posixpath
import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import quote

from harness.live.layer_state import Answer, LayerState, inactive
from harness.live.limits import in_child
from harness.live.listener import holders
from harness.live.obstacle import Obstacle
from harness.live.privileges import COUNTING, refusal_without
from harness.live.query import UnansweredError, exchange
from harness.oracle import Change

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from harness.live.actor import Actor
    from harness.live.components import Component
    from harness.live.scene import Scene
    from harness.world import Operation

FOLDER: Final = Path("/sys/fs/selinux")
OPEN: Final = "open"
"""A permission that only policies with the capability `open_perms` have asked for."""
PERMISSIVE: Final = 1
"""AVD_FLAGS_PERMISSIVE (security/selinux/include/security.h): this domain alone is permissive."""
_CLASSES: Final[Mapping[int, str]] = {
    stat.S_IFDIR: "dir",
    stat.S_IFSOCK: "sock_file",
    stat.S_IFLNK: "lnk_file",
    stat.S_IFIFO: "fifo_file",
    stat.S_IFCHR: "chr_file",
    stat.S_IFBLK: "blk_file",
}
"""The class of what is there (`inode_mode_to_security_class` in security/selinux/hooks.c); all else is a file."""
_THINGS: Final[Mapping[Operation, tuple[str, ...]]] = {
    "connect": ("write",),
    "unlink": ("unlink",),
    "rename": ("rename",),
    "chmod": ("setattr",),
    "chown": ("setattr",),
    "stat": ("getattr",),
    "readlink": ("read",),
    "read": ("read", OPEN),
    "list": ("read", OPEN),
    "write": ("write", OPEN),
    "truncate": ("write", OPEN),
    "create": ("write", OPEN),
    "execute": ("execute", "read", OPEN),
}
"""What each operation asks of what is there (security/selinux/hooks.c: `may_link`, `may_rename`, `file_mask_to_av`,
`open_file_to_av`, `selinux_inode_setattr`, ...)."""
_MADE: Final[Mapping[Operation, tuple[str, tuple[str, ...]]]] = {
    "bind": ("sock_file", ("create",)),
    "create": ("file", ("create", "write", OPEN)),
    "mkdir": ("dir", ("create",)),
}
"""The class of what each makes, and what it asks of that (`may_create`)."""
_ON_THE_WAY: Final = {"symlink": ("read",), "directory": ("search",)}
_ADDED: Final = ("search", "write", "add_name")
_TAKEN: Final = ("search", "write", "remove_name")
"""What making and taking a name ask of the directory (`may_create`, `may_link`, `may_rename`)."""
_SOCKETS: Final = {"stream": "unix_stream_socket", "seqpacket": "unix_stream_socket", "dgram": "unix_dgram_socket"}
_SECONDS: Final = 2.0
INITIAL_NAMESPACE: Final = "user:[4026531837]"
"""The machine's own user namespace (PROC_USER_INIT_INO, include/linux/proc_ns.h)."""
LOOK: Final = "look for a denial: ausearch -m AVC -ts recent | audit2why"
"""It names the boolean or the rule, if there is one."""


class Question(NamedTuple):
    """May the process do `permissions` to what has the context? `at` is the component, `what` how it is called."""

    at: str
    what: str
    context: str
    kind: str
    permissions: tuple[str, ...]
    last: bool = False
    first: bool = False


def answer(actor: Actor, scene: Scene, active: Collection[str] | None) -> Answer:
    """What SELinux has to say."""
    if active is not None and "selinux" not in active:
        return Answer(inactive("SELinux"))
    if not enforcing():
        return Answer(LayerState("SELinux", "passed", "permissive: it refuses nothing"))
    refusals: list[Obstacle] = []
    try:
        context = _context(actor)
        if context is None:
            why = "the context of a new login is not known: ask with --pid"
            return Answer(LayerState("SELinux", "not looked at", why, LOOK))
        refusals += _refusals(actor, scene, context)
    except UnansweredError as error:
        return Answer(LayerState("SELinux", "not looked at", str(error), LOOK))
    passed = LayerState("SELinux", "passed", f"the policy allows it to {context}, says the kernel")
    return Answer(passed, tuple(refusals))


def enforcing() -> bool:
    """Whether SELinux refuses anything; where that can't be read it is taken to."""
    try:
        return (FOLDER / "enforce").read_text("ascii").strip() != "0"
    except OSError:
        return True


def _context(actor: Actor) -> str | None:
    if actor.process is None:
        files = None if actor.unit is None else actor.unit.files
        named = None if files is None else files.last("SELinuxContext")
        return None if named is None else named.removeprefix("-")
    return _context_of(actor.pid, f"the context of process {actor.pid}")


def _context_of(pid: int, what: str) -> str:
    try:
        return Path(f"/proc/{pid}/attr/current").read_text("utf-8", "replace").strip("\0\n ")
    except OSError as error:
        raise UnansweredError(f"{what} can't be read: {error.strerror}") from error


def _refusals(actor: Actor, scene: Scene, context: str) -> Iterator[Obstacle]:
    """What is refused; where something is, what can't be asked behind it is no matter. Raises UnansweredError."""
    refused = False
    try:
        for obstacle in _withheld(actor, scene, context):
            refused = True
            yield obstacle
        for at, what, target, kind, permissions, last, first in _questions(actor, scene, context):
            missing = missing_permissions(context, target, kind, permissions)
            if missing:
                refused = True
                why = f"SELinux does not let {context} {', '.join(missing)} ({kind}) {what}, which is {target}"
                change = Change("elsewhere", None, LOOK, 0)
                behind = not last and not first
                yield Obstacle(at, "EACCES", why, (change,), last, first=first, behind=behind, layer="SELinux")
    except UnansweredError:
        if not refused:
            raise


def _withheld(actor: Actor, scene: Scene, context: str) -> Iterator[Obstacle]:
    """What is permitted by capabilities alone that the policy withholds. Raises UnansweredError."""
    if refusal_without(scene) is None:
        return
    kind = "capability" if actor.namespace in {None, INITIAL_NAMESPACE} else "cap_userns"
    withheld = [
        name
        for name in sorted(COUNTING)
        if missing_permissions(context, context, kind, (name.removeprefix("CAP_").lower(),))
    ]
    refusal = refusal_without(scene, withheld)
    if refusal is not None:
        why = f"SELinux does not let {context} use {', '.join(withheld)}, without which it is refused {refusal.at}"
        change = Change("elsewhere", None, LOOK, 0)
        yield Obstacle(refusal.at, refusal.outcome, why, (change,), layer="SELinux")


def _questions(actor: Actor, scene: Scene, context: str) -> Iterator[Question]:
    """Of the socket itself, each component, what is made, the listener. Raises UnansweredError."""
    attempt, path = scene.attempt, scene.attempt.path
    abstract = path.startswith("@")
    if attempt.operation in {"connect", "bind"}:
        asked = ("create", attempt.operation)
        yield Question(path, "a socket of its own", context, _SOCKETS[attempt.type], asked, first=True)
    if not abstract:
        yield from _of_paths(actor, scene, context)
    reached = scene.components.get(scene.ends[0] or "") if scene.ends else None
    if attempt.operation == "connect" and (abstract or (reached is not None and reached.kind == "socket")):
        yield from _of_the_listener(scene)
    if attempt.operation == "execute":
        raise UnansweredError("in which domain the program would run, and whether it may, is not asked for")


def _of_paths(actor: Actor, scene: Scene, context: str) -> Iterator[Question]:
    """Each component, and what is made; or why that is not asked about."""
    seen = {one.path: one for one in (scene.root, *scene.components.values()) if one is not None}
    at_the_end = _of_the_ends(scene, seen)
    for path, permissions in {
        **{path: _ON_THE_WAY.get(one.kind, ()) for path, one in seen.items()},
        **at_the_end,
    }.items():
        if permissions:
            yield Question(path, path, _file_context(actor, path), _class_of(seen[path]), _known(permissions))
    if not at_the_end:
        raise UnansweredError("the kernel's lookup ends before its policy is asked about what is wanted")
    end = scene.ends[0]
    if end is not None and end not in seen:
        kind, permissions = _MADE[scene.attempt.operation]
        new = _new_context(context, _file_context(actor, posixpath.dirname(end)), kind, posixpath.basename(end))
        yield Question(end, end, new, kind, _known(permissions))


def _of_the_ends(scene: Scene, seen: Mapping[str, Component]) -> dict[str, tuple[str, ...]]:
    """What is asked of what the paths name, and of the directories of names that change; nothing if not reached."""
    operation = scene.attempt.operation
    ends = [end for end in scene.ends if end is not None]
    if scene.hidden is not None or not ends or len(ends) < len(scene.ends):
        return {}
    end, parent = ends[0], posixpath.dirname(ends[0])
    if end not in seen:
        return {parent: _ADDED} if operation in _MADE else {}
    if operation not in _THINGS:
        return {}
    asked: dict[str, tuple[str, ...]] = {end: _THINGS[operation]}
    if operation in {"unlink", "rename"}:
        asked[parent] = _TAKEN
    for target in ends[1:]:
        above = posixpath.dirname(target)
        taken = _TAKEN if target in seen else ()
        asked[above] = tuple(dict.fromkeys((*asked.get(above, ()), *_ADDED, *taken)))
        if target in seen:
            asked[target] = ("rmdir" if seen[target].kind == "directory" else "unlink",)
        if seen[end].kind == "directory" and above != parent:
            asked[end] = (*asked[end], "reparent")
    return asked


def _of_the_listener(scene: Scene) -> Iterator[Question]:
    attempt, listener = scene.attempt, scene.listener
    if listener is not None and listener.state == "stale":
        return
    held = () if listener is None or listener.inode is None else holders(listener.inode)
    if not held:
        raise UnansweredError("the context of the listener is not known: its process was not found")
    theirs = _context_of(held[0].pid, f"the context of the listener, process {held[0].pid},")
    asked = ("sendto",) if attempt.type == "dgram" else ("connectto",)
    at = next(filter(None, scene.ends), attempt.path)
    yield Question(at, f"the listener, process {held[0].pid}", theirs, _SOCKETS[attempt.type], asked, last=True)


def _class_of(component: Component) -> str:
    return _CLASSES.get(stat.S_IFMT(component.status.st_mode), "file")


def _known(permissions: tuple[str, ...]) -> tuple[str, ...]:
    """Those that this policy has asked for (`selinux_policycap_openperm`)."""
    try:
        opens = (FOLDER / "policy_capabilities" / "open_perms").read_text("ascii").strip() == "1"
    except OSError:
        opens = False
    return permissions if opens else tuple(name for name in permissions if name != OPEN)


def _file_context(actor: Actor, path: str) -> str:
    whole = path if actor.root == "/" else f"{actor.root}{path}"
    try:
        return in_child(lambda: _getxattr(whole), _SECONDS)
    except OSError as error:
        raise UnansweredError(f"the context of {path} can't be read: {error.strerror}") from error


def _getxattr(path: str) -> str:
    if sys.platform != "linux":
        raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP))
    return os.getxattr(path, "security.selinux", follow_symlinks=False).decode("utf-8", "replace").strip("\0")


def _new_context(process: str, directory: str, kind: str, name: str) -> str:
    """The context that what is new in a directory would get; some policies go by its name (`sel_write_create`)."""
    return _exchange("create", f"{process} {directory} {_number(kind)} {quote(name, safe='')}")


def missing_permissions(source: str, target: str, kind: str, permissions: Collection[str]) -> list[str]:
    """Those that the policy does not give; none to a permissive domain. Raises UnansweredError."""
    said = _exchange("access", f"{source} {target} {_number(kind)}").split()
    try:
        allowed, flags = int(said[0], 16), int(said[5], 16) if len(said) > 5 else 0
    except (IndexError, ValueError) as error:
        raise UnansweredError(f"the kernel answers what is not known: {said}") from error
    if flags & PERMISSIVE:
        return []
    return [name for name in permissions if not allowed >> (_number(kind, name) - 1) & 1]


def _number(kind: str, permission: str | None = None) -> int:
    """The number that the policy has for a class, or for one of its permissions."""
    file = FOLDER / "class" / kind / ("index" if permission is None else f"perms/{permission}")
    try:
        return int(file.read_text("ascii"))
    except (OSError, ValueError) as error:
        name = kind if permission is None else f"{permission} of {kind}"
        raise UnansweredError(f"the policy does not know {name}, or may not be read") from error


def _exchange(name: str, text: str) -> str:
    try:
        return exchange(FOLDER / name, text.encode()).decode("utf-8", "replace").strip("\0\n ")
    except OSError as error:
        raise UnansweredError(f"the kernel does not answer what its policy allows: {error.strerror}") from error
