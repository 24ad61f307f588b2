"""The nouns of a world. Data only: nothing here reads a file, asks the kernel or decides anything."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

NodeKind = Literal["directory", "socket", "file", "fifo", "symlink", "mount", "absent"]
Operation = Literal[
    "connect",
    "bind",
    "unlink",
    "rename",
    "stat",
    "readlink",
    "chmod",
    "chown",
    "read",
    "write",
    "execute",
    "list",
    "create",
    "mkdir",
    "truncate",
]
FilteredCall = Literal[
    "socket", "connect", "bind", "unlink", "rename", "chmod", "chown", "mkdir", "truncate", "execute", "open"
]
CALLS: Final[Mapping[Operation, tuple[FilteredCall, ...]]] = MappingProxyType(
    {
        "connect": ("socket", "connect"),
        "bind": ("socket", "bind"),
        "unlink": ("unlink",),
        "rename": ("rename",),
        "chmod": ("chmod",),
        "chown": ("chown",),
        "mkdir": ("mkdir",),
        "truncate": ("truncate",),
        "execute": ("execute",),
        "read": ("open",),
        "list": ("open",),
        "write": ("open",),
        "create": ("open",),
    }
)
"""The calls that an operation makes, in their order."""
LandlockRight = Literal["abstract", "bind", "resolve"]
SocketType = Literal["stream", "dgram", "seqpacket"]
SocketState = Literal["listening", "full", "bound", "stale"]
"""listening: accepts; full: listens, and its queue takes nobody else; bound: an open socket on which nobody called
listen(); stale: its socket is closed.
"""
InodeFlag = Literal["immutable", "append-only"]
FileSystemKind = Literal["tmpfs", "bind", "fuse"]

ALLOW_OTHER = "allow_other"
"""The option of a FUSE mount that lets in others than who mounted it."""

DEFAULT_MODES: Mapping[NodeKind, int] = {
    "directory": 0o755,
    "socket": 0o755,
    "file": 0o644,
    "fifo": 0o644,
    "symlink": 0o777,
    "mount": 0o755,
    "absent": 0,
}


@dataclass(frozen=True, slots=True)
class AclEntry:
    """One entry of a POSIX access control list.

    `tag` is `user`, `group`, `mask` or `other`; `who` is a user or group (name or number), or `None` for the
    owner, the owning group, the mask and other. `permissions` is 0 to 7.
    """

    tag: Literal["user", "group", "mask", "other"]
    who: str | int | None
    permissions: int


@dataclass(frozen=True, slots=True)
class Confinement:
    """What a process is held to beside its ids and capabilities. Linux alone has these.

    `seccomp`: the calls that its filter of system calls refuses, each with an errno's name, sorted. A call is named by
    the operation that it is for, in whatever form; `socket` is the making of a Unix socket, and `open` is for reading,
    lists, writing and new files. `landlock`: what its
    Landlock domain takes away: `abstract` connections to sockets of processes outside of the domain (ABI 6, Linux
    6.12), `bind`, new sockets in the file system (LANDLOCK_ACCESS_FS_MAKE_SOCK, ABI 1), and `resolve`, connections to
    sockets in the file system that processes outside have made (LANDLOCK_ACCESS_FS_RESOLVE_UNIX, ABI 9, Linux 7.1).
    `apparmor`: the rules of its AppArmor profile (`harness.world.profile`), sorted; None without one. `selinux`: those
    of its SELinux domain (`harness.world.policy`), likewise.
    """

    seccomp: tuple[tuple[FilteredCall, str], ...] = ()
    landlock: frozenset[LandlockRight] = frozenset()
    apparmor: tuple[str, ...] | None = None
    selinux: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class User:
    """A user of the world. `gid` and `groups` hold numbers or names of `World.groups`.

    `capabilities` is the effective set of the user's processes (`CAP_...`); `None` means what the kernel gives
    by itself: every capability of the place for uid 0, none for any other uid. `confined` is what holds the user's
    processes beside that.
    """

    name: str
    uid: int
    gid: str | int
    groups: tuple[str | int, ...] = ()
    capabilities: frozenset[str] | None = None
    confined: Confinement | None = None


@dataclass(frozen=True, slots=True)
class Principal:
    """What the kernel sees of a process when it decides: effective ids, supplementary groups, capabilities.

    `groups` are the supplementary groups as setgroups(2) takes them, sorted; whether `gid` is among them
    makes no difference to the kernel's decision. `capabilities` and `confined` as in `User`.
    """

    uid: int
    gid: int
    groups: tuple[int, ...] = ()
    capabilities: frozenset[str] | None = None
    confined: Confinement | None = None


ROOT = Principal(0, 0)
"""root, with every capability of the place."""


@dataclass(frozen=True, slots=True)
class Node:
    """One thing in the file system. Nodes are made in order; missing parents are root:root 0755.

    `owner` and `group` are names or numbers; `mode` is 0 to 0o7777. `target` is a symlink's text. `acl` are the entries
    beside the mode bits: where there are any, the mode's group bits are the mask (unless an entry `mask` says
    otherwise, which then are the mode's group bits), and the owning group has those bits too unless an entry `group`
    without a name says otherwise. `default_acl` are entries in the same form that what is made in a directory inherits;
    those that are missing follow from the mode likewise. `flags` are those of chattr(1), which refuse changes to
    everybody; they take effect when all nodes are made. `type` and `state` are a socket's. `fs` and `options` are a
    mount's: `tmpfs` (owner, group and mode are those of its root), or `bind` or `fuse` with `from=/path` among the
    options; options such as `ro` belong to that mount alone and take effect when all nodes are made. A `fuse` mount
    shows a directory by a server of root's; `owner` and `group` are who mounted it, and nobody else is let in without
    the option `allow_other`. `absent` takes away what an earlier node made there: its sockets stay open. An abstract
    socket's path begins with `@`; it has no owner or mode. `network` names the network namespace in which a socket was
    made, `None` is the place's own; `root` is the root directory of the server that binds it. `label` is the type that
    SELinux knows it by, and `domain` the one of who made a socket; None where a world says nothing.
    """

    path: str
    kind: NodeKind
    owner: str | int = "root"
    group: str | int = "root"
    mode: int = 0o755
    target: str | None = None
    acl: tuple[AclEntry, ...] = ()
    type: SocketType = "stream"
    state: SocketState = "listening"
    fs: FileSystemKind | None = None
    options: tuple[str, ...] = ()
    network: str | None = None
    root: str | None = None
    default_acl: tuple[AclEntry, ...] = ()
    flags: tuple[InodeFlag, ...] = ()
    label: str | None = None
    domain: str | None = None

    @property
    def source(self) -> str | None:
        """What a mount shows: its option `from=`."""
        return next((option.removeprefix("from=") for option in self.options if option.startswith("from=")), None)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One user tries one operation on one path. Attempts are made in order; their effects stay.

    `to` is rename's second path; `mode` is chmod's, and what create and mkdir ask for (0666 and 0777 if not given);
    `owner` and `group` are chown's, names or numbers, of which one may be left as it is; `type` is the type of the
    socket that connects or binds; `cwd` is the working directory for a relative path (`/` if not given), entered by
    root beforehand. All is made with umask 022. bind's socket is closed at once, so what it leaves is stale (an
    abstract name is free again). read reads a byte, write opens for writing and writes nothing, create opens for
    writing what is there or makes a file, truncate is to no bytes, execute is ok where the kernel finds no program in
    what it may run, as in every file of a world. `harness.world.operations` says which operations follow a symlink at
    the path's end. `root` is the directory that the user has as root directory (chroot(2)), and `network` the network
    namespace that they are in, the place's own if not given. `expect` is `ok` or an errno name, `at` the component that
    refuses, as who is outside of any `root` calls it; both are optional claims of the world's author.
    """

    user: str
    operation: Operation
    path: str
    to: str | None = None
    mode: int | None = None
    type: SocketType = "stream"
    cwd: str | None = None
    root: str | None = None
    network: str | None = None
    expect: str | None = None
    at: str | None = None
    owner: str | int | None = None
    group: str | int | None = None


@dataclass(frozen=True, slots=True)
class World:
    """Everything that a place needs to be built, and what is to be tried in it.

    `groups` maps names to gids. `users` always contains `root`. `sysctls` are those that the world's author saw
    (for example `fs.protected_symlinks`), for the oracle to use where they differ from the place's.
    """

    name: str
    about: str = ""
    groups: Mapping[str, int] = field(default_factory=dict[str, int])
    users: tuple[User, ...] = ()
    nodes: tuple[Node, ...] = ()
    attempts: tuple[Attempt, ...] = ()
    sysctls: Mapping[str, int] = field(default_factory=dict[str, int])

    @property
    def networks(self) -> tuple[str, ...]:
        """The names of the network namespaces beside the place's own, in the order in which they are named."""
        named = (*(node.network for node in self.nodes), *(attempt.network for attempt in self.attempts))
        return tuple(dict.fromkeys(name for name in named if name is not None))

    def user(self, name: str) -> User:
        """The user of that name. Raises KeyError with a sentence if there is none."""
        for user in self.users:
            if user.name == name:
                return user
        raise KeyError(f"the world {self.name!r} has no user named {name!r}")

    def uid(self, who: str | int) -> int:
        """The uid of a user given by name or number."""
        return who if isinstance(who, int) else self.user(who).uid

    def gid(self, which: str | int) -> int:
        """The gid of a group given by name or number; a user's name stands for that user's own group."""
        if isinstance(which, int):
            return which
        if which in self.groups:
            return self.groups[which]
        if which == "root":
            return 0
        for user in self.users:
            if user.name == which and isinstance(user.gid, int):
                return user.gid
        raise KeyError(f"the world {self.name!r} has no group named {which!r}")

    def principal(self, name: str) -> Principal:
        """What the kernel will see of a process of the user of that name."""
        user = self.user(name)
        return Principal(
            uid=user.uid,
            gid=self.gid(user.gid),
            groups=tuple(sorted({self.gid(group) for group in user.groups})),
            capabilities=user.capabilities,
            confined=user.confined,
        )
