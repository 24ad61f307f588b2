"""What SELinux says: the contexts of process, path and listener, and the policy's own answer to them (selinux(8)).

Two contexts and a class are written to `access` of its file system, and what the policy allows is read back, with
whether the domain is permissive (`sel_write_access` in security/selinux/selinuxfs.c, `avc_has_perm` asks the same).
"""

from __future__ import annotations

import errno
import os
import posixpath
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from harness.live.layer_state import Answer, LayerState, inactive
from harness.live.limits import in_child
from harness.live.listener import holders
from harness.live.obstacle import Obstacle
from harness.live.query import UnansweredError, exchange
from harness.oracle import Change

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from harness.live.actor import Actor
    from harness.live.scene import Scene
    from harness.world import Operation

FOLDER: Final = Path("/sys/fs/selinux")
PERMISSIVE: Final = 1
"""AVD_FLAGS_PERMISSIVE (security/selinux/include/security.h): this domain alone is permissive."""
_CLASSES: Final = {"directory": "dir", "socket": "sock_file", "symlink": "lnk_file", "file": "file"}
_THINGS: Final[Mapping[Operation, tuple[str, ...]]] = {
    "connect": ("write",),
    "unlink": ("unlink",),
    "rename": ("rename",),
    "chmod": ("setattr",),
    "stat": ("getattr",),
    "readlink": ("read",),
}
"""What each operation asks of what the path names (security/selinux/hooks.c, `may_link`, `may_rename`, ...)."""
_DIRECTORIES: Final[Mapping[Operation, tuple[str, ...]]] = {
    "bind": ("search", "write", "add_name"),
    "unlink": ("search", "write", "remove_name"),
    "rename": ("search", "write", "remove_name", "add_name"),
}
"""What each asks of the directory (`may_create`, `may_link`, `may_rename`)."""
_SOCKETS: Final = {"stream": "unix_stream_socket", "seqpacket": "unix_stream_socket", "dgram": "unix_dgram_socket"}
_SECONDS: Final = 2.0
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
    """What is refused; where something is, what can't be asked behind it is no matter."""
    refused = False
    for question in _questions(actor, scene, context):
        if isinstance(question, UnansweredError):
            if refused:
                return
            raise question
        missing = missing_permissions(context, question.context, question.kind, question.permissions)
        if missing:
            refused = True
            why = (
                f"SELinux does not let {context} {', '.join(missing)} ({question.kind}) {question.what}, which is "
                f"{question.context}"
            )
            change = Change("elsewhere", None, LOOK, 0)
            at, last, first = question.at, question.last, question.first
            behind = not last and not first
            yield Obstacle(at, "EACCES", why, (change,), last, first=first, behind=behind, layer="SELinux")


def _questions(actor: Actor, scene: Scene, context: str) -> Iterator[Question | UnansweredError]:
    """In the kernel's order: the socket itself, each component, the thing, the listener."""
    attempt, path = scene.attempt, scene.attempt.path
    kind = _SOCKETS[attempt.type]
    if attempt.operation in {"connect", "bind"}:
        yield Question(path, "a socket of its own", context, kind, ("create", attempt.operation), first=True)
    abstract = path.startswith("@")
    seen = [] if abstract else [one for one in (scene.root, *scene.components.values()) if one is not None]
    last = seen[-1] if seen else None
    parent = posixpath.dirname(last.path) if last is not None else ""
    absent = last is not None and attempt.operation == "bind" and last.kind == "directory"
    for one in seen:
        mine = _file_context(actor, one.path)
        if one is last and not absent:
            wanted = _THINGS.get(attempt.operation, ())
        elif one.kind == "symlink":
            wanted = ("read",)
        elif absent and one is last:
            wanted = _DIRECTORIES["bind"]
        elif one.path == parent and attempt.operation in _DIRECTORIES and attempt.operation != "bind":
            wanted = _DIRECTORIES[attempt.operation]
        else:
            wanted = ("search",)
        if wanted:
            yield Question(one.path, one.path, mine, _CLASSES[one.kind], wanted)
        if absent and one is last:
            at = posixpath.join(one.path, posixpath.basename(path))
            yield Question(at, at, _new_context(context, mine), "sock_file", ("create",))
    listener = scene.listener
    reached = abstract or (last is not None and last.kind == "socket")
    if attempt.operation == "connect" and reached and (listener is None or listener.state != "stale"):
        held = () if listener is None or listener.inode is None else holders(listener.inode)
        if not held:
            yield UnansweredError("the context of the listener is not known: its process can't be seen from here")
            return
        theirs = _context_of(held[0].pid, f"the context of the listener, process {held[0].pid},")
        asked = ("sendto",) if attempt.type == "dgram" else ("connectto",)
        at = last.path if last is not None else path
        yield Question(at, f"the listener, process {held[0].pid}", theirs, kind, asked, last=True)


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


def _new_context(process: str, directory: str) -> str:
    """The context that a new socket in a directory would get (`sel_write_create`)."""
    return _exchange("create", f"{process} {directory} {_number('sock_file')}")


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
