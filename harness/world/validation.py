"""What a world must fulfil beyond its types, whether it came from a file or from Python.

Every rule yields a `Problem`: where in the world, and one sentence. Nothing here raises.
"""

from __future__ import annotations

import dataclasses
import errno
import re
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from harness.world import policy
from harness.world.model import ALLOW_OTHER, User, World
from harness.world.operations import OPERATIONS
from harness.world.placement import Tree, no_node_path, no_path, placed
from harness.world.profile import RULE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from harness.world.model import AclEntry, Attempt, Node
    from harness.world.position import KeyPath

CAPABILITIES: Final = frozenset(
    {
        "CAP_CHOWN",
        "CAP_DAC_OVERRIDE",
        "CAP_DAC_READ_SEARCH",
        "CAP_FOWNER",
        "CAP_FSETID",
        "CAP_KILL",
        "CAP_SETGID",
        "CAP_SETUID",
        "CAP_SETPCAP",
        "CAP_LINUX_IMMUTABLE",
        "CAP_NET_BIND_SERVICE",
        "CAP_NET_BROADCAST",
        "CAP_NET_ADMIN",
        "CAP_NET_RAW",
        "CAP_IPC_LOCK",
        "CAP_IPC_OWNER",
        "CAP_SYS_MODULE",
        "CAP_SYS_RAWIO",
        "CAP_SYS_CHROOT",
        "CAP_SYS_PTRACE",
        "CAP_SYS_PACCT",
        "CAP_SYS_ADMIN",
        "CAP_SYS_BOOT",
        "CAP_SYS_NICE",
        "CAP_SYS_RESOURCE",
        "CAP_SYS_TIME",
        "CAP_SYS_TTY_CONFIG",
        "CAP_MKNOD",
        "CAP_LEASE",
        "CAP_AUDIT_WRITE",
        "CAP_AUDIT_CONTROL",
        "CAP_SETFCAP",
        "CAP_MAC_OVERRIDE",
        "CAP_MAC_ADMIN",
        "CAP_SYSLOG",
        "CAP_WAKE_ALARM",
        "CAP_BLOCK_SUSPEND",
        "CAP_AUDIT_READ",
        "CAP_PERFMON",
        "CAP_BPF",
        "CAP_CHECKPOINT_RESTORE",
    }
)
"""The capabilities of capabilities(7)."""

REFUSALS: Final = frozenset({"EACCES", "EAFNOSUPPORT", "ENOSYS", "EPERM"})
"""What filters of system calls answer, and what the harness tells from the call's own answer to nonsense."""

SYSCTLS: Final[Mapping[str, range]] = MappingProxyType(
    {
        "fs.protected_symlinks": range(2),
        "fs.protected_hardlinks": range(2),
        "fs.protected_regular": range(3),
        "fs.protected_fifos": range(3),
        "kernel.overflowuid": range(2**16),
        "kernel.overflowgid": range(2**16),
        "net.core.somaxconn": range(2**31),
        "apparmor.af_unix": range(2),
    }
)
"""The settings that a place tells of itself, so that a world's can be compared with them, and what each may be."""

ID_LIMIT: Final = 2**32 - 1
"""The first number that is nobody's: (uid_t) -1 means 'leave it as it is' to chown(2) and setuid(2)."""
MOUNT_OPTIONS: Final = frozenset({"ro", "nosuid", "nodev", "noexec"})
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,31}")
_PATH_LIMIT: Final = 4096  # PATH_MAX of linux/limits.h, with the closing NUL


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is invalid: `where`, and a sentence without its subject's name."""

    where: KeyPath
    sentence: str


def complete(world: World) -> World:
    """The same world with what the format promises: `root`, and a name for every user's own group."""
    users = world.users
    if not any(user.name == "root" for user in users):
        users = (User("root", 0, 0), *users)
    groups = {"root": 0} | dict(world.groups)
    for user in users:
        if isinstance(user.gid, int) and user.gid not in groups.values() and user.name not in groups:
            groups[user.name] = user.gid
    return dataclasses.replace(world, users=users, groups=groups)


def problems(world: World) -> Iterator[Problem]:
    """Everything about a completed world that a place could not build or an oracle could not judge."""
    yield from _users(world)
    yield from _names(world)
    yield from _nodes(world)
    users = {user.name for user in world.users}
    for index, attempt in enumerate(world.attempts):
        for key, sentence in _attempt(world, users, attempt):
            yield Problem(("attempts", index, key), sentence)


def _names(world: World) -> Iterator[Problem]:
    if not world.name:
        yield Problem(("name",), "a world needs a name")
    for name, gid in world.groups.items():
        if not _NAME.fullmatch(name):
            yield Problem(("groups", name), f"{name!r} can't be a group's name (letters, digits, _ . -, at most 32)")
        if not 0 <= gid < ID_LIMIT:
            yield Problem(("groups", name), f"{_told(gid)} is not a gid: 0 to {ID_LIMIT - 1}")
    if world.groups.get("root", 0) != 0:
        yield Problem(("groups", "root"), "the group root is gid 0 everywhere")
    for name, value in world.sysctls.items():
        if name not in SYSCTLS:
            yield Problem(("sysctls", name), f"no such setting is looked at; there are {', '.join(SYSCTLS)}")
        elif value not in SYSCTLS[name]:
            yield Problem(("sysctls", name), f"{_told(value)} is not one of its values: 0 to {SYSCTLS[name][-1]}")


def _users(world: World) -> Iterator[Problem]:
    seen: set[str] = set()
    for user in world.users:
        where = ("users", user.name)
        if not _NAME.fullmatch(user.name):
            yield Problem(where, f"{user.name!r} can't be a user's name (letters, digits, _ . -, at most 32)")
        if user.name in seen:
            yield Problem(where, f"there are two users named {user.name!r}")
        seen.add(user.name)
        if not 0 <= user.uid < ID_LIMIT:
            yield Problem((*where, "uid"), f"{_told(user.uid)} is not a uid: 0 to {ID_LIMIT - 1}")
        if user.name == "root" and user.uid != 0:
            yield Problem((*where, "uid"), "root is uid 0 everywhere")
        yield from (Problem((*where, "gid"), text) for text in _known_group(world, user.gid))
        if isinstance(user.gid, int) and user.gid not in world.groups.values():
            taken = world.groups.get(user.name)
            yield Problem(
                (*where, "gid"),
                f"gid {user.gid} has no name, and the user's own name already means gid {taken}: name it in [groups]",
            )
        for group in user.groups:
            yield from (Problem((*where, "groups"), text) for text in _known_group(world, group))
        for capability in sorted(user.capabilities or ()):
            if capability not in CAPABILITIES:
                yield Problem((*where, "capabilities"), f"{capability!r} is not a capability of capabilities(7)")
        for call, outcome in () if user.confined is None else user.confined.seccomp:
            if outcome not in REFUSALS:
                yield Problem(
                    (*where, "confined", "seccomp", call), f"{outcome!r} is none of {', '.join(sorted(REFUSALS))}"
                )
        for rule in () if user.confined is None else user.confined.apparmor or ():
            if not RULE.fullmatch(rule):
                yield Problem(
                    (*where, "confined", "apparmor"),
                    f"{rule!r} is no rule of a world: 'network unix', '/run/app/** w' or 'deny /run/app/s w'",
                )
        for rule in () if user.confined is None else user.confined.selinux or ():
            if not policy.RULE.fullmatch(rule):
                yield Problem(
                    (*where, "confined", "selinux"),
                    f"{rule!r} is no rule of a world: 'app_t:dir search write', 'self:unix_stream_socket create' or "
                    "'permissive'",
                )


def _told(number: int) -> str:
    """A number for a sentence: Python writes none of thousands of digits."""
    return str(number) if abs(number) < 2**64 else "a number of more than 64 bits"


def _known_group(world: World, group: str | int) -> Iterator[str]:
    if isinstance(group, int):
        if not 0 <= group < ID_LIMIT:
            yield f"{_told(group)} is not a gid: 0 to {ID_LIMIT - 1}"
    elif group not in world.groups:
        yield f"no group is named {group!r}; give it a number in [groups]"


def _known_user(world: World, user: str | int) -> Iterator[str]:
    if isinstance(user, int):
        if not 0 <= user < ID_LIMIT:
            yield f"{_told(user)} is not a uid: 0 to {ID_LIMIT - 1}"
    elif all(user != known.name for known in world.users):
        yield f"no user is named {user!r}"


def _attempt(world: World, users: set[str], attempt: Attempt) -> Iterator[tuple[str, str]]:
    if attempt.user not in users:
        yield "user", f"no user is named {attempt.user!r}"
    yield from (("path", sentence) for sentence in no_path(attempt.path))
    if attempt.path.startswith("@") and attempt.operation not in {"connect", "bind"}:
        yield (
            "path",
            f"{attempt.operation} can't reach an abstract name (@...); a file of that name is ./{attempt.path}",
        )
    yield from _held(world, attempt)
    yield from _keys(attempt)
    if attempt.to is not None:
        yield from (("to", sentence) for sentence in no_path(attempt.to))
    if attempt.mode is not None and not 0 <= attempt.mode <= 0o7777:
        yield "mode", f"{attempt.mode:#o} is not a mode: 0 to 7777"
    if attempt.owner is not None:
        yield from (("owner", sentence) for sentence in _known_user(world, attempt.owner))
    if attempt.group is not None:
        yield from (("group", sentence) for sentence in _known_group(world, attempt.group))
    if attempt.cwd is not None and not attempt.cwd.startswith("/"):
        yield "cwd", f"{attempt.cwd!r} is not an absolute path"
    if attempt.root is not None and not attempt.root.startswith("/"):
        yield "root", f"{attempt.root!r} is not an absolute path"
    yield from (("network", sentence) for sentence in _network(attempt.network))
    yield from (("expect", sentence) for sentence in _outcome(attempt.expect))
    if attempt.at is not None and attempt.expect in {None, "ok"}:
        yield "at", "names what refuses, so it needs an expect = that is a refusal"
    if attempt.at is not None:
        yield from (("at", sentence) for sentence in no_path(attempt.at))
        if attempt.at and not attempt.at.startswith(("/", "@")) and attempt.at != attempt.path:
            yield "at", f"{attempt.at!r} is neither an absolute path nor an abstract name (@...)"


def _outcome(expect: str | None) -> Iterator[str]:
    if expect in {None, "ok", *errno.errorcode.values()}:
        return
    number = getattr(errno, expect or "", None)
    if isinstance(number, int):  # EWOULDBLOCK
        yield f"{expect} is called {errno.errorcode[number]}: write that"
    else:
        yield f"{expect!r} is neither ok nor an errno's name such as EACCES"


def _held(world: World, attempt: Attempt) -> Iterator[tuple[str, str]]:
    """What a user whom a module holds can't try in a world."""
    confined = next((user.confined for user in world.users if user.name == attempt.user), None)
    for what, rules in (
        ("an AppArmor profile", None if confined is None else confined.apparmor),
        ("an SELinux domain", None if confined is None else confined.selinux),
    ):
        if rules is not None and attempt.root is not None:
            yield "root", f"below a root directory of its own nobody enters {what}"


def _keys(attempt: Attempt) -> Iterator[tuple[str, str]]:
    """The keys that an operation lacks, and those that it does not take."""
    shape, operation = OPERATIONS[attempt.operation], attempt.operation
    given = {key: getattr(attempt, key) for key in ("to", "mode", "owner", "group")}
    given["type"] = None if attempt.type == "stream" else attempt.type
    for key, what in (("to", "a second path: to ="), ("mode", "a mode"), ("owner", "an owner"), ("group", "a group")):
        if key in shape.needs and given[key] is None:
            yield key, f"{operation} needs {what}"
    if shape.any_of and all(given[key] is None for key in shape.any_of):
        yield shape.any_of[0], f"{operation} needs {' or '.join(shape.any_of)} ="
    others = {
        "to": f"only rename has a second path, not {operation}",
        "type": f"{operation} has no socket, so it takes no type",
    }
    for key, value in given.items():
        if value is not None and key not in shape.keys:
            yield key, others.get(key, f"{operation} takes no {key}")


def _nodes(world: World) -> Iterator[Problem]:
    tree = Tree()
    for index, node in enumerate(world.nodes):
        for key, sentence in (*_node(world, node), *placed(tree, node, index)):
            yield Problem(("nodes", index, key), sentence)
    shown = any(node.fs == "fuse" for node in world.nodes)
    for index, node in enumerate(world.nodes):
        if node.flags and shown:
            yield Problem(("nodes", index, "flags"), "a world with a FUSE mount has no flags: such a mount hides them")
        if node.label is not None and shown:
            yield Problem(
                ("nodes", index, "label"), "a world with a FUSE mount has no labels: such a mount has its own"
            )
        if MOUNT_OPTIONS.intersection(node.options) and tree.spot(node.path)[0] != index + 1:
            yield Problem(("nodes", index, "options"), "take effect at the end, and then another mount hides this one")


def _node(world: World, node: Node) -> Iterator[tuple[str, str]]:
    yield from (("owner", text) for text in _known_user(world, node.owner))
    yield from (("group", text) for text in _known_group(world, node.group))
    if not 0 <= node.mode <= 0o7777:
        yield "mode", f"{node.mode:#o} is not a mode: 0 to 7777"
    if (node.target is None) == (node.kind == "symlink"):
        yield "target", "a symlink needs a target" if node.target is None else f"a {node.kind} has no target"
    if node.target is not None:
        yield from (("target", sentence) for sentence in no_path(node.target))
        if len(node.target.encode(errors="replace")) >= _PATH_LIMIT:
            yield "target", f"a symlink holds at most {_PATH_LIMIT - 1} bytes"
    if node.kind != "socket":
        if node.type != "stream":
            yield "type", f"a {node.kind} has no socket type"
        if node.state != "listening":
            yield "state", f"a {node.kind} does not listen"
    if node.type == "dgram" and node.state == "bound":
        yield "state", "a dgram socket never listens: it is open (listening, the default) or stale"
    if node.path.startswith("@") and node.state == "stale":
        yield "state", "the name of an abstract socket goes when the socket is closed: it can't be stale"
    if node.type == "dgram" and node.state == "full":
        yield "state", "a dgram socket's queue holds messages, and no connections: it is listening or stale"
    yield from (("network", sentence) for sentence in _network(node.network))
    for key, given in (("network", node.network), ("root", node.root)):
        if given is not None and node.kind != "socket":
            yield key, f"only a socket has a {key}, not a {node.kind}"
    if node.root is not None and (any(no_node_path(node.root)) or not node.path.startswith(f"{node.root}/")):
        yield "root", f"{node.root!r} is not a directory above {node.path}"
    yield from _acl(world, node)
    yield from _inherited(world, node)
    yield from _types(node)
    if node.flags and (node.kind not in {"directory", "file", "mount"} or node.fs in {"bind", "fuse"}):
        yield "flags", "only directories, files and tmpfs mounts have flags"
    yield from _mount(node)


def _types(node: Node) -> Iterator[tuple[str, str]]:
    for key, given in (("label", node.label), ("domain", node.domain)):
        if given is not None and not policy.TYPE.fullmatch(given):
            yield key, f"{given!r} can't be a type's name: small letters, digits and _, with _t at the end"
    if node.label is not None and (node.kind == "absent" or node.fs in {"bind", "fuse"} or node.path.startswith("@")):
        yield "label", "neither a bind or FUSE mount, an abstract socket nor what is absent has a label of its own"
    if node.domain is not None and node.kind != "socket":
        yield "domain", f"only a socket has the domain of its maker, not a {node.kind}"


def _network(name: str | None) -> Iterator[str]:
    if name is not None and not _NAME.fullmatch(name):
        yield f"{name!r} can't be a network namespace's name (letters, digits, _ . -, at most 32)"


def _acl(world: World, node: Node) -> Iterator[tuple[str, str]]:
    without = node.kind in {"symlink", "absent"} or node.fs in {"bind", "fuse"} or node.path.startswith("@")
    if node.acl and without:
        yield "acl", "neither a symlink, a bind or FUSE mount nor an abstract socket has an ACL of its own"
    yield from _entries(world, "acl", node.acl)


def _inherited(world: World, node: Node) -> Iterator[tuple[str, str]]:
    if node.default_acl and (node.kind not in {"directory", "mount"} or node.fs in {"bind", "fuse"}):
        yield "default_acl", "only directories and tmpfs mounts have a default ACL"
    yield from _entries(world, "default_acl", node.default_acl)


def _entries(world: World, key: str, entries: Iterable[AclEntry]) -> Iterator[tuple[str, str]]:
    seen: set[tuple[str, int | None]] = set()
    for entry in entries:
        known = {"user": _known_user, "group": _known_group}.get(entry.tag)
        if entry.who is not None:
            wrong = (f"{entry.tag} has no name",) if known is None else tuple(known(world, entry.who))
            yield from ((key, text) for text in wrong)
            if wrong:
                continue
        if not 0 <= entry.permissions <= 7:
            yield key, f"{entry.permissions} is not a set of permissions: 0 to 7"
        who = None if entry.who is None else (world.uid if entry.tag == "user" else world.gid)(entry.who)
        if (entry.tag, who) in seen:
            yield key, f"two entries speak of {entry.tag}:{'' if entry.who is None else entry.who}"
        seen.add((entry.tag, who))


def _mount(node: Node) -> Iterator[tuple[str, str]]:
    sources = [option for option in node.options if option.startswith("from=")]
    if node.kind != "mount":
        if node.fs is not None:
            yield "fs", f"only a mount has a file system, not a {node.kind}"
        if node.options:
            yield "options", f"only a mount has options, not a {node.kind}"
        return
    if node.fs is None:
        yield "fs", 'a mount is fs = "tmpfs", fs = "bind" or fs = "fuse"'
    if len(sources) != (node.fs in {"bind", "fuse"}):
        yield "options", "a bind or FUSE mount has one option from=/path, and a tmpfs none"
    known = MOUNT_OPTIONS | ({ALLOW_OTHER} if node.fs == "fuse" else set())
    for option in node.options:
        if option not in known and option not in sources:
            yield "options", f"{option!r} is none of {', '.join(sorted(known))}, from=/path"
