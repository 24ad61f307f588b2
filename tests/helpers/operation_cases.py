"""Worlds about reading, making and changing files and directories, each attempt with what comes of it on Linux.

They go through what pjdfstest asks of chmod, chown, open, unlink, rename, mkdir and truncate, and through what this
project asks beside that: capabilities one by one, default ACLs, noexec mounts, execution and lists. `tests/integration`
has a kernel confirm each of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.world import OPERATIONS, AclEntry, Attempt, Node, User, World, complete

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.world import Operation

USERS = (
    User("ann", 1001, "web"),
    User("mate", 1002, "ops", ("web",)),
    User("stranger", 1003, "audit"),
    User("bare", 0, 0, (), frozenset()),
    User("reader", 1004, "audit", (), frozenset({"CAP_DAC_READ_SEARCH"})),
    User("overrider", 1005, "audit", (), frozenset({"CAP_DAC_OVERRIDE"})),
    User("giver", 1006, "audit", (), frozenset({"CAP_CHOWN"})),
    User("warden", 1007, "audit", (), frozenset({"CAP_FOWNER"})),
    User("keeper", 1008, "audit", (), frozenset({"CAP_FSETID"})),
)
GROUPS = {"web": 2001, "ops": 2002, "audit": 2003}
OPEN = Node("/w", "directory", mode=0o777)


@dataclass(frozen=True)
class Step:
    """An attempt with its outcome; `shows` is what a stat is told."""

    attempt: Attempt
    shows: str | None = None


@dataclass(frozen=True)
class Case:
    """Nodes below /w, and attempts that are made there one after the other."""

    nodes: tuple[Node, ...]
    steps: tuple[Step, ...]
    since: tuple[int, int] = (0, 0)
    """The first Linux of which it holds."""
    machine: bool = False
    """What is shown turns on capabilities in the machine's own user namespace."""

    @property
    def world(self) -> World:
        """The case as a world, whose attempts claim their outcomes."""
        top = () if any(node.path == "/w" for node in self.nodes) else (OPEN,)
        attempts = tuple(step.attempt for step in self.steps)
        return complete(World("case", groups=GROUPS, users=USERS, nodes=(*top, *self.nodes), attempts=attempts))

    @property
    def flagged(self) -> bool:
        """Whether a place needs flags of inodes for it."""
        return any(node.flags for node in self.nodes)


def tries(user: str, operation: Operation, path: str, expect: str, at: str | None = None, **keys: Any) -> Step:
    """Somebody tries something; relative paths are below /w."""
    if "to" in keys:
        keys["to"] = _below(keys["to"])
    at = None if at is None else _below(at)
    return Step(Attempt(user, operation, _below(path), expect=expect, at=at, **keys))


def shows(path: str, status: str) -> Step:
    """root looks at it, and is told this: kind and mode, uid and gid."""
    return Step(Attempt("root", "stat", _below(path), expect="ok"), status)


def _below(path: str) -> str:
    return path if path.startswith("/") else f"/w/{path}"


def node(path: str, kind: Any = "file", mode: int = 0o644, owner: str = "ann", group: str = "web", **keys: Any) -> Node:
    """Something of ann's and of the group web, below /w."""
    return Node(_below(path), kind, owner, group, mode, **keys)


def folder(path: str, mode: int = 0o755, owner: str = "ann", group: str = "web", **keys: Any) -> Node:
    """A directory likewise."""
    return node(path, "directory", mode, owner, group, **keys)


def link(path: str, target: str, owner: str = "ann") -> Node:
    """A symlink of somebody's."""
    return Node(_below(path), "symlink", owner, mode=0o777, target=target)


def mounted(path: str, *options: str) -> Node:
    """A tmpfs that all may write."""
    return Node(_below(path), "mount", mode=0o777, fs="tmpfs", options=options)


def gives(user: str, **permissions: int) -> tuple[AclEntry, ...]:
    """A default ACL with an entry for a user, and with those that are named."""
    tags: Mapping[str, Any] = {"owner": "user", "mask": "mask", "group": "group", "other": "other"}
    others = (AclEntry(tags[tag], None, bits) for tag, bits in permissions.items() if tag != "named")
    return AclEntry("user", user, permissions.get("named", 7)), *others


LONG, TOO_LONG = "x" * 255, "x" * 256
FAR = "./" * 2046 + "f"  # 4,096 bytes behind /w/
DIR, FILE = folder("d"), node("f")
LOOP = (link("l1", "l2"), link("l2", "l1"))
READ_ONLY = (mounted("ro", "ro"), node("ro/f", mode=0o666), node("ro/closed", mode=0o600), folder("ro/d", 0o777))
EVERY_KIND = (
    FILE,
    DIR,
    node("p", "fifo", 0o666),
    node("s", "socket", 0o777),
    link("l", "f"),
    link("dangling", "nothing"),
)

_BITS: tuple[tuple[Operation, int], ...] = (("read", 4), ("write", 2), ("execute", 1), ("truncate", 2), ("create", 2))
"""Operations that open a file, each with the bit that it asks for."""
_WITH: dict[Operation, dict[str, Any]] = {
    "chmod": {"mode": 0o600},
    "chown": {"owner": "ann"},
    "rename": {"to": "new"},
    "unlink": {},
    "list": {},
    "mkdir": {},
    **{operation: {} for operation, _ in _BITS},
}
"""Operations with what each takes beside its path."""

CASES: dict[str, Case] = {
    # --- the way there, for each operation ---------------------------------------------------------------------------
    **{
        f"{operation}-on-the-way": Case(
            (FILE, *LOOP, folder("shut", 0o600), node("shut/f")),
            (
                tries("ann", operation, "f/x", "ENOTDIR", "f", **keys),
                tries("ann", operation, f"{TOO_LONG}/x", "ENAMETOOLONG", **keys),
                tries("ann", operation, FAR + "f", "ENAMETOOLONG", **keys),
                tries("ann", operation, "nothing/x", "ENOENT", "nothing", **keys),
                tries("ann", operation, "l1/x", "ELOOP", **keys),
                tries("ann", operation, "shut/f", "EACCES", "shut", **keys),
                tries("stranger", operation, "shut/f", "EACCES", "shut", **keys),
            ),
        )
        for operation, keys in _WITH.items()
    },
    **{
        f"{operation}-at-the-end-of-the-way": Case(
            (FILE, *LOOP),
            (
                tries("ann", operation, TOO_LONG, "ENAMETOOLONG", **keys),
                tries("ann", operation, LONG, "ENOENT", **keys),
                tries("ann", operation, "l1", "ELOOP", **keys),
                tries("ann", operation, "f/", "ENOTDIR", "f", **keys),
            ),
        )
        for operation, keys in _WITH.items()
        if OPERATIONS[operation].follows and operation != "create"
    },
    # --- read, write, execute, list ----------------------------------------------------------------------------------
    **{
        f"bits-of-{bits:o}-for-the-{who}": Case(
            (node("f", mode=bits << shift),),
            tuple(
                tries(user, operation, "f", "ok" if bits & wanted else "EACCES", None if bits & wanted else "f")
                for operation, wanted in _BITS
            ),
        )
        for who, user, shift in (("owner", "ann", 6), ("group", "mate", 3), ("others", "stranger", 0))
        for bits in range(8)
    },
    "each-kind-is-opened": Case(
        EVERY_KIND,
        (
            tries("ann", "read", "d", "EISDIR"),
            tries("ann", "write", "d", "EISDIR"),
            tries("stranger", "write", "d", "EISDIR"),
            tries("ann", "create", "d", "EISDIR"),
            tries("ann", "truncate", "d", "EISDIR"),
            tries("ann", "execute", "d", "EACCES"),
            tries("root", "execute", "d", "EACCES"),
            tries("ann", "read", "p", "ok"),
            tries("ann", "write", "p", "ENXIO"),
            tries("ann", "create", "p", "ENXIO"),
            tries("ann", "truncate", "p", "EINVAL"),
            tries("root", "execute", "p", "EACCES"),
            tries("ann", "read", "s", "ENXIO"),
            tries("ann", "write", "s", "ENXIO"),
            tries("ann", "create", "s", "ENXIO"),
            tries("ann", "truncate", "s", "EINVAL"),
            tries("root", "execute", "s", "EACCES"),
            tries("ann", "read", "l", "ok"),
            tries("ann", "write", "l", "ok"),
            tries("ann", "list", "l", "ENOTDIR", "f"),
            tries("ann", "list", "d", "ok"),
            tries("ann", "connect", "p", "ECONNREFUSED"),
        ),
    ),
    "permission-is-asked-before-the-kind": Case(
        (folder("d", 0o700), node("s", "socket", 0o600), node("p", "fifo", 0o600)),
        (
            tries("stranger", "read", "d", "EACCES"),
            tries("stranger", "read", "s", "EACCES"),
            tries("stranger", "write", "p", "EACCES"),
            tries("stranger", "truncate", "p", "EINVAL"),
            tries("stranger", "truncate", "d", "EISDIR"),
        ),
    ),
    "a-directory-is-listed-by-who-may-read-it": Case(
        (folder("all", 0o744), folder("through", 0o711)),
        (
            tries("stranger", "list", "all", "ok"),
            tries("stranger", "list", "through", "EACCES", "through"),
            tries("reader", "list", "through", "ok"),
            tries("bare", "list", "through", "EACCES"),
        ),
    ),
    "capabilities-read-write-and-execute": Case(
        (node("f", mode=0o000), node("x", mode=0o010)),
        (
            tries("root", "read", "f", "ok"),
            tries("root", "write", "f", "ok"),
            tries("root", "execute", "f", "EACCES", "f"),
            tries("root", "execute", "x", "ok"),
            tries("overrider", "execute", "f", "EACCES", "f"),
            tries("overrider", "execute", "x", "ok"),
            tries("overrider", "truncate", "f", "ok"),
            tries("reader", "read", "f", "ok"),
            tries("reader", "write", "f", "EACCES"),
            tries("reader", "execute", "x", "EACCES"),
            tries("bare", "read", "f", "EACCES"),
            tries("warden", "read", "f", "EACCES"),
        ),
    ),
    "a-noexec-mount": Case(
        (mounted("t", "noexec"), node("t/f", mode=0o755), node("f", mode=0o755)),
        (
            tries("ann", "execute", "t/f", "EACCES", "t/f"),
            tries("root", "execute", "t/f", "EACCES", "t/f"),
            tries("ann", "read", "t/f", "ok"),
            tries("ann", "execute", "f", "ok"),
        ),
    ),
    "a-read-only-mount": Case(
        READ_ONLY,
        (
            tries("ann", "read", "ro/f", "ok"),
            tries("ann", "write", "ro/f", "EROFS", "ro/f"),
            tries("stranger", "write", "ro/closed", "EACCES", "ro/closed"),
            tries("ann", "create", "ro/f", "EROFS", "ro/f"),
            tries("ann", "create", "ro/new", "EROFS", "ro"),
            tries("stranger", "create", "ro/closed", "EACCES", "ro/closed"),
            tries("ann", "truncate", "ro/f", "EROFS"),
            tries("ann", "mkdir", "ro/new", "EROFS", "ro"),
            tries("ann", "mkdir", "ro/f", "EEXIST"),
            tries("ann", "chmod", "ro/f", "EROFS", mode=0o600),
            tries("stranger", "chmod", "ro/f", "EROFS", mode=0o600),
            tries("ann", "chown", "ro/f", "EROFS", group="web"),
            tries("stranger", "chown", "ro/f", "EROFS", group="web"),
            tries("ann", "unlink", "ro/f", "EROFS", "ro"),
            tries("ann", "unlink", "ro/nothing", "EROFS", "ro"),
            tries("ann", "rename", "ro/f", "EROFS", "ro", to="ro/g"),
            tries("ann", "write", "ro/d", "EISDIR"),
        ),
    ),
    "a-read-only-mount-is-looked-at-after-the-permission-to-truncate": Case(
        READ_ONLY, (tries("stranger", "truncate", "ro/closed", "EACCES", "ro/closed"),), since=(6, 14)
    ),
    "a-fifo-on-a-read-only-mount-takes-writers": Case(
        (mounted("ro", "ro"), node("ro/p", "fifo", 0o666)),
        (tries("ann", "write", "ro/p", "ENXIO"), tries("ann", "read", "ro/p", "ok")),
    ),
    # --- create ------------------------------------------------------------------------------------------------------
    "a-new-file": Case(
        (folder("d", 0o2777, "root", "ops"),),
        (
            tries("ann", "create", "new", "ok"),
            shows("new", "-rw-r--r-- 1001 2001"),
            tries("ann", "create", "all", "ok", mode=0o7777),
            shows("all", "-rwsr-sr-t 1001 2001"),
            tries("ann", "create", "none", "ok", mode=0),
            shows("none", "---------- 1001 2001"),
            tries("ann", "write", "none", "EACCES"),
            tries("ann", "create", "d/theirs", "ok", mode=0o2711),
            shows("d/theirs", "-rwx--x--x 1001 2002"),
            tries("mate", "create", "d/ours", "ok", mode=0o2711),
            shows("d/ours", "-rwx--s--x 1002 2002"),
            tries("ann", "create", "d/plain", "ok", mode=0o2600),
            shows("d/plain", "-rw---S--- 1001 2002"),
            tries("keeper", "create", "d/kept", "ok", mode=0o2711),
            shows("d/kept", "-rwx--s--x 1008 2002"),
        ),
    ),
    "create-opens-what-is-there": Case(
        (folder("d", 0o555), node("d/f", mode=0o666), node("closed", mode=0o444)),
        (
            tries("stranger", "create", "d/f", "ok", mode=0),
            shows("d/f", "-rw-rw-rw- 1001 2001"),
            tries("stranger", "create", "d/new", "EACCES", "d"),
            tries("ann", "create", "d/new", "EACCES", "d"),
            tries("ann", "create", "closed", "EACCES", "closed"),
        ),
    ),
    "create-and-slashes": Case(
        EVERY_KIND,
        (
            tries("ann", "create", "new/", "EISDIR"),
            tries("ann", "create", "f/", "EISDIR"),
            tries("ann", "create", "d/", "EISDIR"),
            tries("ann", "create", "l/", "EISDIR"),
            tries("ann", "create", ".", "EISDIR"),
            tries("ann", "create", "..", "EISDIR"),
            tries("ann", "create", "/", "EISDIR"),
            tries("ann", "create", "nothing/.", "ENOENT"),
            tries("ann", "create", TOO_LONG, "ENAMETOOLONG"),
            tries("ann", "create", LONG, "ok"),
        ),
    ),
    "create-follows-a-symlink-to-nothing": Case(
        (link("l", "new"), link("slash", "other/"), *LOOP),
        (
            tries("ann", "create", "l", "ok"),
            shows("new", "-rw-r--r-- 1001 2001"),
            tries("ann", "create", "slash", "EISDIR"),
            tries("ann", "create", "l1", "ELOOP"),
        ),
    ),
    "create-in-a-sticky-directory": Case(
        (
            folder("t", 0o1777, "root", "root"),
            node("t/s", "socket", 0o777),
            folder("mine", 0o1777),
            node("mine/s", "socket", 0o777),
            folder("group", 0o1770, "root", "web"),
            node("group/s", "socket", 0o777),
        ),
        (
            tries("stranger", "create", "t/s", "EACCES", "t/s"),
            tries("root", "create", "t/s", "EACCES", "t/s"),
            tries("overrider", "create", "t/s", "EACCES", "t/s"),
            tries("ann", "create", "t/s", "ENXIO"),
            tries("stranger", "create", "mine/s", "ENXIO"),
            tries("mate", "create", "group/s", "ENXIO"),
            tries("stranger", "write", "t/s", "ENXIO"),
        ),
    ),
    # --- mkdir -------------------------------------------------------------------------------------------------------
    "a-new-directory": Case(
        (folder("g", 0o2777, "root", "ops"), folder("shut", 0o555)),
        (
            tries("ann", "mkdir", "new", "ok"),
            shows("new", "drwxr-xr-x 1001 2001"),
            tries("ann", "mkdir", "all", "ok", mode=0o7777),
            shows("all", "drwxr-xr-t 1001 2001"),
            tries("ann", "mkdir", "g/new", "ok"),
            shows("g/new", "drwxr-sr-x 1001 2002"),
            tries("ann", "mkdir", "slash/", "ok"),
            tries("ann", "create", "slash/f", "ok"),
            tries("ann", "list", "slash", "ok"),
            tries("ann", "mkdir", "shut/new", "EACCES", "shut"),
            tries("stranger", "mkdir", "new/in", "EACCES", "new"),
        ),
    ),
    "mkdir-where-something-is": Case(
        EVERY_KIND,
        (
            *(tries("ann", "mkdir", name, "EEXIST", name) for name in ("f", "d", "p", "s", "l", "dangling")),
            tries("ann", "mkdir", "dangling/", "EEXIST"),
            tries("ann", "mkdir", ".", "EEXIST"),
            tries("ann", "mkdir", "..", "EEXIST"),
            tries("ann", "mkdir", "/", "EEXIST"),
            tries("ann", "mkdir", TOO_LONG, "ENAMETOOLONG"),
            tries("ann", "mkdir", LONG, "ok"),
        ),
    ),
    "a-deleted-directory": Case(
        (
            folder("d", 0o777),
            Node("/w/m", "mount", fs="bind", options=("from=/w/d",)),
            Node("/w/d", "absent", mode=0),
        ),
        (
            tries("ann", "mkdir", "m/new", "ENOENT"),
            tries("ann", "create", "m/new", "ENOENT"),
            tries("ann", "bind", "m/new", "ENOENT"),
            tries("ann", "list", "m", "ok"),
        ),
    ),
    # --- default ACLs ------------------------------------------------------------------------------------------------
    "a-default-acl-is-inherited": Case(
        (folder("d", 0o777, default_acl=gives("stranger", named=6, owner=7, group=5, mask=6, other=0)),),
        (
            tries("ann", "create", "d/f", "ok", mode=0o666),
            shows("d/f", "-rw-rw---- 1001 2001"),
            tries("stranger", "read", "d/f", "ok"),
            tries("stranger", "write", "d/f", "ok"),
            tries("mate", "read", "d/f", "ok"),
            tries("mate", "write", "d/f", "EACCES"),
            tries("ann", "mkdir", "d/in", "ok"),
            shows("d/in", "drwxrw---- 1001 2001"),
            tries("stranger", "list", "d/in", "ok"),
            tries("ann", "create", "d/in/f", "ok"),
            tries("ann", "chmod", "d/in", "ok", mode=0o777),
            tries("stranger", "write", "d/in/f", "EACCES", "d/in"),
            tries("root", "rename", "d/in/f", "ok", to="f"),
            tries("stranger", "write", "f", "ok"),
            tries("ann", "bind", "d/s", "ok"),
            shows("d/s", "srwxr----- 1001 2001"),
            tries("stranger", "connect", "d/s", "EACCES"),
        ),
    ),
    "the-umask-does-not-count-beside-a-default-acl": Case(
        (folder("d", 0o777, default_acl=gives("stranger", named=7, owner=7, group=7, mask=7, other=7)),),
        (
            tries("ann", "create", "d/f", "ok"),
            shows("d/f", "-rw-rw-rw- 1001 2001"),
            tries("ann", "create", "d/g", "ok", mode=0o640),
            shows("d/g", "-rw-r----- 1001 2001"),
            tries("ann", "mkdir", "d/d", "ok"),
            shows("d/d", "drwxrwxrwx 1001 2001"),
            tries("ann", "mkdir", "d/e", "ok", mode=0o750),
            shows("d/e", "drwxr-x--- 1001 2001"),
            tries("ann", "bind", "d/s", "ok"),
            shows("d/s", "srwxr-xr-x 1001 2001"),
        ),
    ),
    # --- truncate, and set-id bits -----------------------------------------------------------------------------------
    "truncate-takes-set-id-bits": Case(
        (
            node("x", mode=0o6777),
            node("plain", mode=0o6766),
            node("theirs", mode=0o2766, group="ops"),
            node("kept", mode=0o6777),
            node("roots", mode=0o6777),
        ),
        (
            tries("ann", "truncate", "x", "ok"),
            shows("x", "-rwxrwxrwx 1001 2001"),
            tries("ann", "truncate", "plain", "ok"),
            shows("plain", "-rwxrwSrw- 1001 2001"),
            tries("ann", "truncate", "theirs", "ok"),
            shows("theirs", "-rwxrw-rw- 1001 2002"),
            tries("keeper", "truncate", "kept", "ok"),
            shows("kept", "-rwsrwsrwx 1001 2001"),
            tries("root", "truncate", "roots", "ok"),
            shows("roots", "-rwsrwsrwx 1001 2001"),
        ),
        machine=True,
    ),
    # --- chmod -------------------------------------------------------------------------------------------------------
    "chmod": Case(
        (*EVERY_KIND, node("theirs", group="ops"), folder("e", group="ops")),
        (
            tries("ann", "chmod", "f", "ok", mode=0o111),
            shows("f", "---x--x--x 1001 2001"),
            tries("ann", "chmod", "l", "ok", mode=0o7777),
            shows("f", "-rwsrwsrwt 1001 2001"),
            tries("ann", "chmod", "theirs", "ok", mode=0o6711),
            shows("theirs", "-rws--x--x 1001 2002"),
            tries("ann", "chmod", "e", "ok", mode=0o3755),
            shows("e", "drwxr-xr-t 1001 2002"),
            tries("ann", "chmod", "d", "ok", mode=0o3755),
            shows("d", "drwxr-sr-t 1001 2001"),
            tries("ann", "chmod", "p", "ok", mode=0o000),
            tries("ann", "read", "p", "EACCES"),
            tries("mate", "chmod", "f", "EPERM", "f", mode=0o600),
            tries("giver", "chmod", "f", "EPERM", "f", mode=0o600),
            tries("overrider", "chmod", "f", "EPERM", "f", mode=0o600),
            tries("bare", "chmod", "f", "EPERM", "f", mode=0o600),
            tries("warden", "chmod", "f", "ok", mode=0o2755),
            shows("f", "-rwxr-xr-x 1001 2001"),
            tries("root", "chmod", "f", "ok", mode=0o2755),
            shows("f", "-rwxr-sr-x 1001 2001"),
            tries("ann", "chmod", "dangling", "ENOENT", mode=0o600),
        ),
    ),
    # --- chown -------------------------------------------------------------------------------------------------------
    "chown-of-ones-own": Case(
        (node("f", owner="mate", group="ops"), folder("d", owner="mate", group="ops"), link("l", "f")),
        (
            tries("mate", "chown", "f", "ok", group="web"),
            shows("f", "-rw-r--r-- 1002 2001"),
            tries("mate", "chown", "f", "EPERM", "f", group="audit"),
            tries("mate", "chown", "f", "EPERM", "f", owner="ann"),
            tries("mate", "chown", "f", "ok", owner="mate", group="ops"),
            tries("mate", "chown", "l", "ok", owner="mate", group="web"),
            shows("f", "-rw-r--r-- 1002 2001"),
            tries("ann", "chown", "f", "EPERM", "f", group="web"),
            tries("warden", "chown", "f", "EPERM", "f", group="audit"),
            tries("bare", "chown", "f", "EPERM", "f", owner="root"),
            tries("giver", "chown", "f", "ok", owner="ann", group="audit"),
            shows("f", "-rw-r--r-- 1001 2003"),
            tries("root", "chown", "d", "ok", owner=4242, group=0),
            shows("d", "drwxr-xr-x 4242 0"),
        ),
    ),
    "chown-keeps-what-stays": Case(
        (node("f", group="audit"),),
        (tries("ann", "chown", "f", "ok", group="audit"), tries("ann", "chown", "f", "ok", owner="ann")),
    ),
    "chown-takes-set-id-bits": Case(
        (
            node("x", mode=0o6711),
            node("plain", mode=0o2644),
            node("both", mode=0o6644),
            node("out", mode=0o2644, group="ops"),
            node("theirs", mode=0o4755),
            node("quiet", mode=0o755),
            folder("d", 0o6777),
            node("roots", mode=0o6711),
            node("away", mode=0o6644),
        ),
        (
            tries("ann", "chown", "x", "ok", group="web"),
            shows("x", "-rwx--x--x 1001 2001"),
            tries("ann", "chown", "plain", "ok", group="web"),
            shows("plain", "-rw-r-Sr-- 1001 2001"),
            tries("ann", "chown", "both", "ok", group="web"),
            shows("both", "-rw-r-Sr-- 1001 2001"),
            tries("ann", "chown", "out", "ok", owner="ann"),
            shows("out", "-rw-r--r-- 1001 2002"),
            tries("ann", "chown", "d", "ok", group="web"),
            shows("d", "drwsrwsrwx 1001 2001"),
            tries("giver", "chown", "theirs", "EPERM", "theirs", owner="giver"),
            tries("giver", "chown", "quiet", "ok", owner="giver"),
            tries("root", "chown", "roots", "ok", owner="root"),
            shows("roots", "-rwx--x--x 0 2001"),
            tries("root", "chown", "away", "ok", group="ops"),
            shows("away", "-rw-r-Sr-- 1001 2002"),
        ),
    ),
    # --- unlink and rename -------------------------------------------------------------------------------------------
    "unlink": Case(
        (*EVERY_KIND, mounted("m"), folder("shut", 0o555), node("shut/f")),
        (
            tries("ann", "unlink", "d", "EISDIR", "d"),
            tries("ann", "unlink", "m", "EISDIR", "m"),
            tries("ann", "unlink", "shut/f", "EACCES", "shut"),
            tries("stranger", "unlink", "shut/nothing", "ENOENT"),
            tries("ann", "unlink", TOO_LONG, "ENAMETOOLONG"),
            tries("ann", "unlink", "f/", "ENOTDIR"),
            *(tries("stranger", "unlink", name, "ok") for name in ("l", "dangling", "p", "s", "f")),
            tries("ann", "read", "f", "ENOENT"),
        ),
    ),
    "sticky-directories": Case(
        (
            folder("t", 0o1777, "root", "root"),
            *(node(f"t/{name}") for name in "abcde"),
            node("t/theirs", owner="stranger"),
            folder("mine", 0o1777),
            node("mine/f", owner="stranger"),
            node("source", mode=0o666),
        ),
        (
            tries("stranger", "unlink", "t/a", "EPERM", "t/a"),
            tries("overrider", "unlink", "t/a", "EPERM", "t/a"),
            tries("warden", "unlink", "t/a", "ok"),
            tries("ann", "unlink", "t/b", "ok"),
            tries("ann", "unlink", "mine/f", "ok"),
            tries("stranger", "rename", "t/c", "EPERM", "t/c", to="t/new"),
            tries("stranger", "rename", "t/theirs", "EPERM", to="t/c"),
            tries("stranger", "rename", "source", "EPERM", to="t/c"),
            tries("ann", "rename", "t/c", "ok", to="t/new"),
        ),
    ),
    "rename": Case(
        (
            *EVERY_KIND,
            folder("full"),
            node("full/f"),
            folder("empty", 0o777),
            folder("mine", 0o755),
            folder("theirs", 0o755, "stranger", "audit"),
            folder("shut", 0o555),
            node("shut/f"),
            mounted("m"),
        ),
        (
            tries("ann", "rename", "f", "EISDIR", "d", to="d"),
            tries("ann", "rename", "d", "ENOTDIR", "f", to="f"),
            tries("ann", "rename", "d", "ENOTEMPTY", "full", to="full"),
            tries("ann", "rename", "full", "EINVAL", to="full/in"),
            tries("ann", "rename", "full/f", "ENOTEMPTY", to="full"),
            tries("ann", "rename", ".", "EBUSY", to="new"),
            tries("ann", "rename", "f", "EXDEV", to="m/f"),
            tries("ann", "rename", "m", "EBUSY", to="new"),
            tries("ann", "rename", "shut/f", "EACCES", "shut", to="new"),
            tries("ann", "rename", "f", "EACCES", "shut", to="shut/g"),
            tries("ann", "rename", "f", "ENAMETOOLONG", to=TOO_LONG),
            tries("ann", "rename", "f", "ENOTDIR", to="new/"),
            tries("ann", "rename", "theirs", "EACCES", "theirs", to="empty/in"),
            tries("ann", "rename", "theirs", "ok", to="other"),
            tries("ann", "rename", "mine", "ok", to="empty/mine"),
            tries("ann", "rename", "nothing", "ENOENT", to="new"),
            tries("ann", "rename", "f", "ok", to="f"),
            tries("ann", "rename", "l", "ok", to="s"),
            tries("ann", "rename", "d", "ok", to="d2/"),
            tries("ann", "rename", "f", "ok", to="p"),
            shows("p", "-rw-r--r-- 1001 2001"),
        ),
    ),
    # --- flags -------------------------------------------------------------------------------------------------------
    "immutable-things": Case(
        (
            node("f", mode=0o777, flags=("immutable",)),
            node("closed", mode=0o000, flags=("immutable",)),
            folder("d", 0o777, flags=("immutable",)),
            node("d/f", mode=0o777),
            folder("d/in", 0o777),
            node("g"),
            node("frozen/f", mode=0o777, flags=("immutable",)),
        ),
        (
            tries("ann", "read", "f", "ok"),
            tries("ann", "execute", "f", "ok"),
            tries("ann", "write", "f", "EPERM", "f"),
            tries("root", "write", "f", "EPERM", "f"),
            tries("stranger", "write", "closed", "EPERM", "closed"),
            tries("stranger", "connect", "closed", "EPERM"),
            tries("root", "create", "f", "EPERM", "f"),
            tries("root", "truncate", "f", "EPERM", "f"),
            tries("root", "chmod", "f", "EPERM", "f", mode=0o600),
            tries("root", "chown", "f", "EPERM", "f", owner="ann"),
            tries("root", "unlink", "f", "EPERM", "f"),
            tries("root", "rename", "f", "EPERM", to="new"),
            tries("root", "rename", "g", "EPERM", to="f"),
            tries("root", "mkdir", "d/new", "EPERM", "d"),
            tries("root", "create", "d/new", "EPERM", "d"),
            tries("root", "bind", "d/new", "EPERM", "d"),
            tries("root", "unlink", "d/f", "EPERM", "d"),
            tries("root", "rename", "d/f", "EPERM", to="new"),
            tries("root", "rename", "g", "EPERM", to="d/g"),
            tries("ann", "write", "d/f", "ok"),
            tries("ann", "create", "d/f", "ok"),
            tries("ann", "create", "d/in/new", "ok"),
            tries("ann", "chmod", "d/f", "ok", mode=0o600),
            tries("ann", "list", "d", "ok"),
        ),
    ),
    "append-only-things": Case(
        (
            node("f", mode=0o777, flags=("append-only",)),
            node("closed", mode=0o000, flags=("append-only",)),
            folder("d", 0o777, flags=("append-only",)),
            node("d/f", mode=0o777),
            node("d/h", mode=0o777),
            node("g"),
        ),
        (
            tries("ann", "read", "f", "ok"),
            tries("root", "write", "f", "EPERM", "f"),
            tries("stranger", "write", "closed", "EACCES", "closed"),
            tries("root", "create", "f", "EPERM", "f"),
            tries("root", "truncate", "f", "EPERM", "f"),
            tries("root", "chmod", "f", "EPERM", "f", mode=0o600),
            tries("root", "chown", "f", "EPERM", "f", owner="ann"),
            tries("root", "unlink", "f", "EPERM", "f"),
            tries("root", "rename", "f", "EPERM", to="new"),
            tries("ann", "create", "d/new", "ok"),
            tries("ann", "mkdir", "d/sub", "ok"),
            tries("ann", "bind", "d/s", "ok"),
            tries("root", "unlink", "d/f", "EPERM", "d"),
            tries("root", "rename", "d/f", "EPERM", to="new"),
            tries("root", "rename", "g", "EPERM", to="d/h"),
            tries("root", "rename", "g", "ok", to="d/g"),
            tries("ann", "chmod", "d/f", "ok", mode=0o600),
            tries("root", "chmod", "d", "EPERM", "d", mode=0o700),
        ),
    ),
    "flags-behind-a-read-only-mount": Case(
        (
            folder("d", 0o777),
            node("d/f", mode=0o777, flags=("immutable",)),
            Node("/w/m", "mount", fs="bind", options=("from=/w/d", "ro")),
        ),
        (
            tries("root", "write", "m/f", "EPERM", "m/f"),
            tries("root", "truncate", "m/f", "EPERM", "m/f"),
            tries("root", "chmod", "m/f", "EROFS", "m/f", mode=0o600),
            tries("root", "unlink", "m/f", "EROFS"),
        ),
    ),
}
"""By name."""

THROUGH_FUSE = Case(
    (
        folder("d", 0o3777, "root", "ops"),
        Node("/w/m", "mount", fs="fuse", options=("from=/w/d", "allow_other")),
        folder("e", 0o777, "root", "root", default_acl=gives("ann")),
        Node("/w/n", "mount", fs="fuse", options=("from=/w/e", "allow_other")),
        node("e/cut", mode=0o6604, group="root"),
        node("e/given", mode=0o2604, group="root"),
        node("e/both", mode=0o6604, owner="giver", group="root"),
        node("e/run", mode=0o6614, group="root"),
    ),
    (
        tries("ann", "create", "m/f", "ok", mode=0o7777),
        shows("m/f", "-rwxr-xr-x 0 2002"),
        tries("ann", "mkdir", "m/in", "ok", mode=0o1777),
        shows("m/in", "drwxr-sr-x 0 2002"),
        tries("ann", "create", "n/f", "ok"),
        shows("n/f", "-rw-r--r-- 0 0"),
        tries("ann", "mkdir", "n/in", "ok"),
        shows("n/in", "drwxr-xr-x 0 0"),
        tries("ann", "truncate", "n/cut", "ok"),
        shows("n/cut", "-rw---Sr-- 1001 0"),
        tries("ann", "chown", "n/given", "ok", group="web"),
        shows("n/given", "-rw---Sr-- 1001 2001"),
        tries("giver", "chown", "n/both", "ok", group="ops"),
        shows("n/both", "-rw----r-- 1006 2002"),
        tries("ann", "truncate", "n/run", "ok"),
        shows("n/run", "-rw---xr-- 1001 0"),
    ),
)
"""What is made and changed through a FUSE mount, by its server: with the umask even where there is a default ACL, and
without the setgid bit where the group has x, else with it."""

PROTECTED: dict[str, tuple[Mapping[str, int], Case]] = {
    f"protected-{'regular' if kind == 'file' else 'fifos'}-{setting}": (
        {f"fs.protected_{'regular' if kind == 'file' else 'fifos'}": setting},
        Case(
            (
                folder("t", 0o1777, "root", "root"),
                node("t/f", kind, 0o666),
                folder("group", 0o1770, "root", "audit"),
                node("group/f", kind, 0o666),
                folder("plain", 0o777, "root", "root"),
                node("plain/f", kind, 0o666),
                folder("ours", 0o1777),
                node("ours/f", kind, 0o666),
            ),
            (
                tries("stranger", "create", "t/f", "EACCES" if setting else opened, "t/f" if setting else None),
                tries("root", "create", "t/f", "EACCES" if setting else opened, "t/f" if setting else None),
                tries("ann", "create", "t/f", opened),
                tries("stranger", "create", "group/f", "EACCES" if setting > 1 else opened),
                tries("stranger", "create", "plain/f", opened),
                tries("stranger", "create", "ours/f", opened),
                tries("stranger", "write", "t/f", opened),
                tries("stranger", "read", "t/f", "ok"),
            ),
        ),
    )
    for kind, opened in (("file", "ok"), ("fifo", "ENXIO"))
    for setting in (0, 1, 2)
}
"""What turns on the machine's settings: each with those that it holds for."""
