"""The agent: builds worlds inside a place, tries what their users try, and runs processes there.

It runs as root inside the place, from one file and with the standard library alone (Python 3.9 or later), and
speaks JSON lines on its standard streams. A request is `{"id": N, "do": NAME, ...}`; its answer is
`{"id": N, "done": ...}` or `{"id": N, "failed": SENTENCE}`. What started processes write and how they end comes as
`{"process": N, "stdout": TEXT}` and `{"process": N, "exit": STATUS}`. When its input ends, it ends, and as the first
process of the place (or watched by it) it takes the place along.

One child for each principal stays alive and makes that principal's attempts; the agent itself holds the listeners.
"""

from __future__ import annotations

import codecs
import contextlib
import ctypes
import errno
import functools
import json
import os
import platform
import re
import resource
import select
import selectors
import shutil
import signal
import socket
import stat
import struct
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

Json = dict[str, Any]

LIBC = ctypes.CDLL(None, use_errno=True)
LINUX = sys.platform == "linux"

CAPABILITY_NAMES = """
CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE
NET_BIND_SERVICE NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT
SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE
AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ
PERFMON BPF CHECKPOINT_RESTORE
"""
CAPABILITIES = {f"CAP_{name}": number for number, name in enumerate(CAPABILITY_NAMES.split())}
"""In the order of their numbers: linux/capability.h."""

SYSCTLS = (
    "fs.protected_symlinks",
    "fs.protected_hardlinks",
    "fs.protected_regular",
    "fs.protected_fifos",
    "kernel.overflowuid",
    "kernel.overflowgid",
    "net.core.somaxconn",
)
TYPES = {"stream": socket.SOCK_STREAM, "dgram": socket.SOCK_DGRAM, "seqpacket": socket.SOCK_SEQPACKET}
SUN_PATH = 108 if LINUX else 104
SCRATCH = ("/home", "/mnt", "/run", "/srv", "/tmp", "/var/tmp")
"""Directories whose new entries, whoever made them, go away with the world."""


class RefusalError(Exception):
    """One sentence for a person: what was refused, where and why."""


class EndOfInput(BaseException):
    """Nobody will ask any more."""


class Outside:
    """The machine's own root, kept open where the agent has taken a directory of it as the root of its place.

    That is so on a machine without namespaces: users then try inside, commands are run outside, and so is looked at
    what the kernel tells of processes.
    """

    descriptor: int | None = None

    @classmethod
    def leave(cls, base: str) -> None:
        """Make `base` the root directory of this process."""
        for name in ("ascii", "utf-8"):
            codecs.lookup(name)  # from inside, Python could not load them
        cls.descriptor = os.open("/", os.O_RDONLY)
        os.chroot(base)
        os.chdir("/")

    @classmethod
    def enter(cls) -> None:
        """Go back to the machine's own root, if it was left."""
        if cls.descriptor is not None:
            os.fchdir(cls.descriptor)
            os.chroot(".")

    @classmethod
    def read(cls, path: str) -> str:
        """A text file of the kernel's, such as those in /proc. Raises FileNotFoundError where there is none."""

        def opener(name: str, flags: int) -> int:
            return os.open(name.lstrip("/") if cls.descriptor is not None else name, flags, dir_fd=cls.descriptor)

        with open(path, encoding="utf-8", errors="surrogateescape", opener=opener) as file:
            return file.read()


# --- becoming a principal ------------------------------------------------------------------------------------

PR_SET_KEEPCAPS, PR_SET_SECUREBITS, PR_CAP_AMBIENT = 8, 28, 47  # linux/prctl.h
PR_CAP_AMBIENT_RAISE, PR_CAP_AMBIENT_CLEAR_ALL = 2, 4
SECBIT_NOROOT, SECBIT_NOROOT_LOCKED = 1, 2  # linux/securebits.h: an exec by uid 0 gives no capabilities
CAPABILITY_VERSION_3 = 0x20080522  # linux/capability.h


def _prctl(option: int, argument: int, third: int = 0) -> None:
    values = [ctypes.c_ulong(value) for value in (argument, third, 0, 0)]
    if LIBC.prctl(option, *values) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def _set_capabilities(names: list[str]) -> None:
    """Make the permitted, effective, inheritable and ambient sets of this process exactly these."""
    numbers = [CAPABILITIES[name] for name in names]
    low = sum(1 << number for number in numbers if number < 32)
    high = sum(1 << (number - 32) for number in numbers if number >= 32)
    header = struct.pack("Ii", CAPABILITY_VERSION_3, 0)
    if LIBC.capset(header, struct.pack("6I", low, low, low, high, high, high)) != 0:
        raise OSError(errno.EPERM, "this place lacks one of " + ", ".join(names))
    for number in numbers:
        _prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, number)


def become(principal: Json) -> None:
    """Give up root for what the principal is: groups, ids, and the capabilities if a set is given."""
    uid, gid, wanted = principal["uid"], principal["gid"], principal["capabilities"]
    try:
        if wanted is not None:
            _prctl(PR_SET_SECUREBITS, SECBIT_NOROOT | SECBIT_NOROOT_LOCKED)
            _prctl(PR_SET_KEEPCAPS, 1)
        os.setgroups(principal["groups"])
        os.setresgid(gid, gid, gid)
        os.setresuid(uid, uid, uid)
        if (os.getresuid(), os.getresgid()) != ((uid, uid, uid), (gid, gid, gid)):
            raise OSError(errno.EINVAL, "that id means 'leave it as it is'")  # (uid_t) -1
        if wanted is not None:
            _set_capabilities(wanted)
    except OSError as error:
        groups = ",".join(map(str, principal["groups"])) or "none"
        raise RefusalError(
            f"no process can become uid {uid}, gid {gid}, groups {groups} in this place: {error.strerror}"
        ) from None


# --- building a world ----------------------------------------------------------------------------------------

MOUNT_FLAGS = {"ro": 1, "nosuid": 2, "nodev": 4, "noexec": 8}  # linux/mount.h
MS_REMOUNT, MS_BIND = 32, 4096
MNT_DETACH = 2
ACL_TAGS = {"owner": 1, "user": 2, "owning group": 4, "group": 8, "mask": 16, "other": 32}
ACL_NOBODY = 0xFFFFFFFF  # linux/posix_acl_xattr.h: the id of an entry that names no one
ACL_ACCESS = "system.posix_acl_access"


def _mount(source: str | None, target: str, kind: str | None, flags: int, data: str | None) -> None:
    texts = [None if text is None else os.fsencode(text) for text in (source, target, kind, data)]
    if LIBC.mount(texts[0], texts[1], texts[2], ctypes.c_ulong(flags), texts[3]) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), target)


def _unmount(target: str) -> None:
    if LIBC.umount2(os.fsencode(target), MNT_DETACH) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), target)


def _acl_of(path: str) -> bytes | None:
    """A path's access ACL; `None` if it has none, or if this system or file system has none (acl(5))."""
    if not hasattr(os, "getxattr"):
        return None
    try:
        return os.getxattr(path, ACL_ACCESS)
    except OSError:
        return None


def _give_acl(path: str, acl: bytes | None) -> None:
    """Give a path this access ACL, or take away the one that it has."""
    if acl is not None:
        os.setxattr(path, ACL_ACCESS, acl)
    elif _acl_of(path) is not None:
        os.removexattr(path, ACL_ACCESS)


def acl_bytes(entries: list[tuple[str, int | None, int]]) -> bytes:
    """An access ACL in the form that the kernel takes: little-endian, version 2, entries sorted by tag and id."""
    rows = sorted((ACL_TAGS[tag], ACL_NOBODY if who is None else who, permissions) for tag, who, permissions in entries)
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", tag, permissions, who) for tag, who, permissions in rows)


NOTHING_THERE = frozenset([errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP])


def _remove(path: str) -> None:
    try:
        if stat.S_ISDIR(os.lstat(path).st_mode):
            shutil.rmtree(path)
        else:
            os.unlink(path)
    except OSError as error:
        if error.errno not in NOTHING_THERE:
            raise


def _make_anew(path: str) -> None:
    """Put a directory of the container's own in the place of one of its image, with the directories below.

    Overlayfs refuses to rename the image's (overlayfs(5), redirect_dir: EXDEV). One that holds anything else than
    directories, or a mount, stays.
    """
    walked = list(os.walk(path))
    entries = sum(len(directories) + len(files) for _, directories, files in walked)
    mounted = any(target == path or target.startswith(f"{path}/") for target in _mounts().values())
    if mounted or entries != len(walked) - 1:
        return
    tree = [(directory, os.lstat(directory)) for directory, _, _ in walked]
    shutil.rmtree(path)
    for directory, status in tree:
        os.mkdir(directory)
        os.chown(directory, status.st_uid, status.st_gid)
        os.chmod(directory, stat.S_IMODE(status.st_mode))


def _mounts() -> dict[int, str]:
    """What is mounted in this place, in the order of mounting: number and path (proc(5), mountinfo)."""
    if not LINUX:
        return {}
    found = {}
    for line in Outside.read("/proc/self/mountinfo").splitlines():
        fields = line.split(" ")
        found[int(fields[0])] = re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), fields[4])
    return found


@functools.cache
def _mapped(name: str) -> list[range]:
    """The uids or gids that this user namespace has (user_namespaces(7)); nothing where there is no such file."""
    try:
        rows = [line.split() for line in Outside.read(f"/proc/self/{name}_map").splitlines()]
    except FileNotFoundError:
        return []
    return [range(int(first), int(first) + int(count)) for first, _, count in rows]


class Listener:
    """A socket of the world. `address` is what its clients see as their peer's name."""

    def __init__(self, held: socket.socket, address: bytes, accepts: bool) -> None:
        self.held = held
        self.address = address
        self.accepts = accepts

    def drain(self) -> list[Json]:
        """Accept whoever waits, read who it is, hang up."""
        met = []
        while self.accepts:
            try:
                peer, _ = self.held.accept()
            except BlockingIOError:
                break
            with peer:
                met.append(peer_credentials(peer))
        return met


def peer_credentials(peer: socket.socket) -> Json:
    """What the kernel keeps of the process that connected: pid, effective ids, supplementary groups (unix(7))."""
    pid, uid, gid = struct.unpack("iII", peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    size = 4 * 64
    while True:
        try:
            raw = peer.getsockopt(socket.SOL_SOCKET, SO_PEERGROUPS, size)
        except OSError as error:
            if error.errno != errno.ERANGE or size > 4 * 65536:  # NGROUPS_MAX
                raise
            size *= 4
        else:
            return {"pid": pid, "uid": uid, "gid": gid, "groups": sorted(struct.unpack(f"{len(raw) // 4}I", raw))}


SO_PEERGROUPS = 0x24 if platform.machine().startswith("parisc") else 59  # asm-generic/socket.h


class Builder:
    """Makes a world and takes it away again."""

    def __init__(self) -> None:
        self.listeners: list[Listener] = []
        self._undo: list[Callable[[], None]] = []
        self._mounted = frozenset(_mounts())
        self._original = {path: self._entries(path) for path in SCRATCH}
        self._accounts: dict[str, str] = {}
        for path in ("/etc/passwd", "/etc/group"):
            try:
                with open(path, encoding="utf-8") as file:
                    self._accounts[path] = file.read()
            except FileNotFoundError:
                self._accounts[path] = ""

    @staticmethod
    def _entries(path: str) -> frozenset[str]:
        return frozenset(os.listdir(path) if os.path.isdir(path) else ())

    def build(self, world: Json) -> None:
        """Make users, groups, nodes in order, then what mounts were asked to be (read-only, ...)."""
        self.clean()
        for path, mode in world["directories"].items():
            if not os.path.isdir(path) or os.path.islink(path):  # an image without it, or a world that moved it away
                _remove(path)
                os.mkdir(path)
            _give_acl(path, None)  # a user of the world before may have renamed another directory to this name
            os.chown(path, 0, 0)
            os.chmod(path, mode)
        for path, target in world["links"].items():
            if not os.path.lexists(path):
                os.symlink(target, path)
        self._write_accounts(world)
        flagged = []
        for node in world["nodes"]:
            try:
                self._make(node)
                flags = sum(MOUNT_FLAGS.get(option, 0) for option in node["options"])
                if node["kind"] == "mount" and flags:
                    flagged.append((node["path"], flags))
            except OSError as error:
                where = "" if error.filename in (None, node["path"]) else f" at {error.filename}"
                raise RefusalError(
                    f"the {node['kind']} {node['path']} cannot be made here: {error.strerror or error}{where}"
                ) from None
        for path, flags in flagged:
            try:
                _mount(None, path, None, MS_REMOUNT | MS_BIND | flags, None)
            except OSError as error:
                raise RefusalError(f"the mount {path} cannot get its options: {error.strerror}") from None

    def clean(self) -> None:
        """Take away what the world made and what its users made of it; give back what was there before."""
        for listener in self.listeners:
            listener.held.close()
        self.listeners.clear()
        for number, path in reversed(_mounts().items()):  # wherever a user of the world has moved them
            if number not in self._mounted:
                _unmount(path)
        while self._undo:
            with contextlib.suppress(FileNotFoundError):  # a user of the world was there first
                self._undo.pop()()
        for path, original in self._original.items():
            for name in self._entries(path) - original:
                _remove(os.path.join(path, name))

    def expect_new(self, path: str) -> None:
        """A user is about to make something here: it goes away with the world, unless it was there before."""
        above, name = os.path.split(path.rstrip("/"))
        if name not in ("", ".", ".."):  # else nothing can come of it
            self._forget_later(os.path.join(os.path.realpath(above or "/"), name))

    def expect_change(self, path: str) -> None:
        """A user is about to change this one's mode: give it back with the world."""
        real = os.path.realpath(path)
        if os.path.exists(real):
            self._restore_later(real)

    def _forget_later(self, path: str) -> None:
        if not os.path.lexists(path):
            self._undo.append(lambda: _remove(path))

    def _restore_later(self, path: str) -> None:
        was = os.stat(path)
        acl = _acl_of(path)

        def restore() -> None:
            os.chown(path, was.st_uid, was.st_gid)
            os.chmod(path, stat.S_IMODE(was.st_mode))
            _give_acl(path, acl)

        self._undo.append(restore)

    def _write_accounts(self, world: Json) -> None:
        names = {user["name"] for user in world["users"]}
        users = [
            f"{user['name']}:x:{user['uid']}:{user['gid']}::"
            f"{'/root' if user['uid'] == 0 else '/home/' + user['name']}:/bin/sh"
            for user in world["users"]
        ]
        groups = [
            f"{name}:x:{gid}:" + ",".join(user["name"] for user in world["users"] if gid in user["groups"])
            for name, gid in world["groups"].items()
        ]
        for path, lines, taken in (
            ("/etc/passwd", users, names),
            ("/etc/group", groups, set(world["groups"])),
        ):
            kept = [line for line in self._accounts[path].splitlines() if line.split(":")[0] not in taken]
            try:
                with open(path, "w", encoding="utf-8") as file:
                    file.write("\n".join([*kept, *lines]) + "\n")
            except OSError as error:
                raise RefusalError(f"{path} cannot be written in this place: {error.strerror}") from None

    def _make_parents(self, path: str) -> None:
        parts = [part for part in path.split("/")[:-1] if part]
        here = ""
        for part in parts:
            here += "/" + part
            if not os.path.lexists(here):
                self._forget_later(here)
                os.mkdir(here)
                os.chown(here, 0, 0)
                os.chmod(here, 0o755)

    def _make(self, node: Json) -> None:
        path, kind = node["path"], node["kind"]
        if path.startswith("@"):
            self._hold(node, "\0" + path[1:])
            return
        for name, number in (("uid", node["owner"]), ("gid", node["group"])):
            ranges = _mapped(name)
            if ranges and not any(number in each for each in ranges):
                last = max(each.stop for each in ranges) - 1
                raise OSError(errno.EINVAL, f"{name} {number} is not one of this place's, which end at {last}")
        self._make_parents(path)
        if kind == "mount":
            self._mount(node)
            if node["fs"] == "bind":
                return
        elif kind == "directory" and os.path.isdir(path) and not os.path.islink(path):
            self._restore_later(path)
        else:
            if os.path.lexists(path):
                raise OSError(errno.EEXIST, os.strerror(errno.EEXIST), path)
            self._forget_later(path)
            if kind == "symlink":
                os.symlink(node["target"], path)
                os.lchown(path, node["owner"], node["group"])
                return
            if kind == "directory":
                os.mkdir(path)
            elif kind == "file":
                os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
            else:
                self._hold(node, path)
        os.chown(path, node["owner"], node["group"])
        os.chmod(path, node["mode"])
        if node["acl"]:
            os.setxattr(path, ACL_ACCESS, acl_bytes([tuple(entry) for entry in node["acl"]]))

    def _mount(self, node: Json) -> None:
        path = node["path"]
        source = next((option[len("from=") :] for option in node["options"] if option.startswith("from=")), path)
        if not os.path.lexists(path):
            self._forget_later(path)
            if node["fs"] == "tmpfs" or os.path.isdir(source):
                os.mkdir(path, 0o755)
            else:
                os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644))
        if node["fs"] == "bind":
            _mount(source, path, None, MS_BIND, None)
        else:
            _mount("tmpfs", path, "tmpfs", 0, None)

    def _hold(self, node: Json, path: str) -> None:
        held = socket.socket(socket.AF_UNIX, TYPES[node["type"]])
        try:
            if len(os.fsencode(path)) < SUN_PATH:
                held.bind(path)
            else:  # longer than an address may be: make it under a short name and move it there
                parent, name = os.path.split(path)
                os.chdir(parent)
                short = f".{len(self.listeners)}"
                held.bind(short)
                os.rename(short, name)
                os.chdir("/")
        except BaseException:
            os.chdir("/")
            held.close()
            raise
        if node["state"] == "stale":
            held.close()
            return
        accepts = node["state"] == "listening" and node["type"] != "dgram"
        if accepts:
            held.listen(BACKLOG)
        held.setblocking(False)
        self.listeners.append(Listener(held, address_bytes(held.getsockname()), accepts))


BACKLOG = 4096
CHUNK = 64
"""Attempts between two visits to the listeners: fewer than the smallest usual somaxconn, 128, lets wait."""


def address_bytes(address: Any) -> bytes:
    """A Unix socket's address as bytes, which Python gives as text or, for an abstract one, as bytes."""
    return address if isinstance(address, bytes) else os.fsencode(address)


# --- trying, as a principal (in a child) ---------------------------------------------------------------------


def _connect(kind: str, path: str) -> bytes | None:
    with socket.socket(socket.AF_UNIX, TYPES[kind]) as client:
        client.setblocking(False)  # a listener whose queue is full says EAGAIN at once
        _at_address(client, client.connect, LIBC.connect, path)
        return address_bytes(client.getpeername())


def _bind(kind: str, path: str) -> None:
    with socket.socket(socket.AF_UNIX, TYPES[kind]) as server:
        _at_address(server, server.bind, LIBC.bind, path)


def _at_address(held: socket.socket, call: Callable[[str], None], raw: Any, path: str) -> None:
    if path.startswith("@"):
        path = "\0" + path[1:]
    name = os.fsencode(path)
    if len(name) < SUN_PATH:
        call(path)
        return
    # Python refuses an address that does not fit without asking; here the kernel is to answer.
    address = struct.pack("=H", socket.AF_UNIX) + name
    if raw(held.fileno(), address, len(address)) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def _try(operation: str, path: str, to: str | None, mode: int | None, kind: str) -> bytes | None:
    """Do it. Raises OSError where the kernel refuses; returns the peer's address of a connection."""
    if operation == "connect":
        return _connect(kind, path)
    if operation == "bind":
        _bind(kind, path)
    elif operation == "unlink":
        os.unlink(path)
    elif operation == "rename":
        os.rename(path, to or "")
    elif operation == "stat":
        os.stat(path)
    elif operation == "readlink":
        os.readlink(path)
    elif operation == "chmod":
        os.chmod(path, mode or 0)
    else:
        raise ValueError(operation)
    return None


MAXSYMLINKS = 40  # linux/namei.h
NAME_MAX, PATH_MAX = 255, 4096  # linux/limits.h


def _errno_name(error: OSError) -> str:
    return errno.errorcode.get(error.errno or 0, f"errno {error.errno}")


def _refused(call: Callable[..., Any], *arguments: Any) -> str | None:
    try:
        call(*arguments)
    except OSError as error:
        return _errno_name(error)
    return None


class Walk:
    """A path walked component by component, by trying each step as this process.

    `refusal` is the errno of the first step that failed, or None; `at` is that component, or the object at the end;
    `route` leads to the same without any symlink. `links` are the symlinks that were followed, as routes and paths.
    """

    def __init__(self, path: str, cwd: str, follow: bool) -> None:
        self.links: list[tuple[str, str]] = []
        self.at = "/" if path.startswith("/") else cwd
        self.route = "/" if path.startswith("/") else "."
        self.refusal = self._walk(path, follow)

    def _walk(self, path: str, follow: bool) -> str | None:
        slash = path.endswith("/")
        pending = [name for name in path.split("/")[::-1] if name]
        while pending:
            name = pending.pop()
            if name in (".", ".."):
                refusal = self.search()
                if refusal:
                    return refusal
                if name == "..":
                    self.route += "/.."
                    self.at = os.path.dirname(self.at)
                continue
            route, here = os.path.join(self.route, name), os.path.join(self.at, name)
            try:
                mode = os.lstat(route).st_mode
            except OSError as error:
                if error.errno not in (errno.EACCES, errno.ENOTDIR):  # else it is the directory that refuses
                    self.at = here
                return _errno_name(error)
            if not stat.S_ISLNK(mode) or not (pending or follow or slash):
                self.route, self.at = route, here
                continue
            self.links.append((route, here))
            if len(self.links) > MAXSYMLINKS:
                self.at = here
                return "ELOOP"
            target = os.readlink(route)
            if target.startswith("/"):
                self.at = self.route = "/"
            slash = slash or (target.endswith("/") and not pending)
            pending += [name for name in target.split("/")[::-1] if name]
        return self.search() if slash else None

    def search(self) -> str | None:
        """Whether what we have come to is a directory that may be searched: None, or the errno."""
        return _refused(os.stat, self.route + "/.")

    def link_that_refuses(self) -> str | None:
        """The first symlink on the way that may not be followed, though all that is behind it can be reached."""
        for route, here in self.links:
            if _refused(os.stat, route) == "EACCES":
                return here
        return None

    def link_may_refuse(self) -> bool:
        """Whether a symlink on the way lies where fs.protected_symlinks looks at its owner."""
        for route, _ in self.links:
            try:
                mode = os.stat(os.path.dirname(route)).st_mode
            except OSError:
                return True
            if mode & stat.S_ISVTX and mode & stat.S_IWOTH:
                return True
        return False


class Entry:
    """A path's last name, for what makes, removes or moves names: the way to its directory, and what is there."""

    def __init__(self, path: str, cwd: str) -> None:
        parent, _, self.name = path.rstrip("/").rpartition("/")
        self.slash = path.endswith("/")
        self.directory = Walk(parent + "/" if parent or path.startswith("/") else "./", cwd, True)
        self.refusal = self.directory.refusal
        self.plain = self.name not in ("", ".", "..")
        above = os.path.dirname(self.directory.at) if self.name == ".." else self.directory.at
        self.at = os.path.join(above, self.name) if self.plain else above
        try:
            self.mode: int | None = os.lstat(os.path.join(self.directory.route, self.name or ".")).st_mode
        except OSError:
            self.mode = None

    @property
    def is_directory(self) -> bool:
        """Whether there is a directory under that name."""
        return self.mode is not None and stat.S_ISDIR(self.mode)

    def writing(self) -> str | None:
        """What refuses a new entry in the directory: found by making a file without a name, which leaves no trace."""
        flags = getattr(os, "O_TMPFILE", None)
        if flags is None:
            return UNKNOWN
        refusal = _refused(lambda: os.close(os.open(self.directory.route, flags | os.O_WRONLY, 0o600)))
        return refusal if refusal in (None, "EACCES", "EROFS") else UNKNOWN


UNKNOWN = "unknown"


def refusing_component(attempt: list[Any], outcome: str, cwd: str, protected_symlinks: bool) -> str | None:
    """Which component refused the attempt, found by trying the way there; None where no trial can tell."""
    operation: str = attempt[0]
    path: str = attempt[1]
    if path.startswith("@") or (outcome == "EINVAL" and operation in ("connect", "bind")):
        return path
    if outcome == "ENAMETOOLONG":
        for each in (path, attempt[2] or ""):
            if len(os.fsencode(each)) >= PATH_MAX:
                return each
    entry = Entry(path, cwd) if operation in ("bind", "unlink", "rename") else None
    walk = Walk(path, cwd, operation != "readlink") if entry is None else entry.directory
    if outcome == "EACCES" and protected_symlinks and walk.links:
        link = None if walk.refusal else walk.link_that_refuses()
        if link is not None or walk.link_may_refuse():
            return link
    if walk.refusal:
        return walk.at if walk.refusal == outcome else None
    if entry is None:
        return walk.at
    if operation == "rename":
        return _refusing_end(entry, Entry(attempt[2], cwd), outcome)
    if outcome in ("EACCES", "EROFS"):
        return walk.at if entry.writing() == outcome else None
    return entry.at


def _refusing_end(source: Entry, target: Entry, outcome: str) -> str | None:
    """Which of a rename's ends refused, both of whose directories can be searched unless the second one says else."""
    if target.refusal:
        return target.directory.at if target.refusal == outcome else None
    if outcome in ("EXDEV", "EINVAL"):
        return source.at
    if outcome in ("ENOTEMPTY", "EISDIR"):
        return target.at
    if outcome == "EBUSY":
        if source.plain and target.plain:
            return None  # one of them is a mount point, which a user can't see
        return target.at if source.plain else source.at
    if outcome == "ENAMETOOLONG":
        return target.at if len(os.fsencode(source.name)) <= NAME_MAX else source.at
    if outcome == "ENOENT":
        return source.at if source.mode is None else None
    if outcome == "ENOTDIR":
        return target.at if source.is_directory else source.at
    if outcome == "EPERM":
        return source.at if target.mode is None else None
    if outcome in ("EACCES", "EROFS"):
        writings = (source.writing(), target.writing())
        if UNKNOWN in writings:
            return None
        for entry, refusal in zip((source, target), writings):
            if refusal == outcome:
                return entry.directory.at
        return source.at if outcome == "EACCES" and source.is_directory else None
    return None


def _attempt(attempt: list[Any], cwd: str, protected_symlinks: bool) -> list[Any]:
    operation, path, to, mode, kind = attempt
    try:
        peer = _try(operation, path, to, mode, kind)
    except OSError as error:
        outcome = _errno_name(error)
        return [outcome, refusing_component(attempt, outcome, cwd, protected_symlinks), None]
    return ["ok", None, None if peer is None else peer.hex()]


def _serve_attempts(channel: socket.socket, cwd: str, protected_symlinks: bool) -> NoReturn:
    """The life of a principal's child."""
    with channel.makefile("rwb") as stream:
        for line in stream:
            answer = [_attempt(attempt, cwd, protected_symlinks) for attempt in json.loads(line)]
            stream.write(json.dumps(answer).encode() + b"\n")
            stream.flush()
    os._exit(0)


def _serve_grid(channel: socket.socket, paths: list[str], doors: list[socket.socket]) -> NoReturn:
    """The life of a principal's child that tries every path at each byte received: one errno, or 0, for each path.

    It accepts its own connections, which a listener's queue would hold: by accept(2) itself, since an object for each
    would take longer than the attempt.
    """
    accept, close = LIBC.accept, os.close
    numbers = [door.fileno() for door in doors]
    while channel.recv(1):
        outcomes = bytearray()
        client = socket.SocketType(socket.AF_UNIX, socket.SOCK_STREAM)
        for path, number in zip(paths, numbers):
            outcome = client.connect_ex(path)
            if outcome == 0:
                close(accept(number, None, None))
                client.close()
                client = socket.SocketType(socket.AF_UNIX, socket.SOCK_STREAM)
            outcomes.append(outcome)
        client.close()
        channel.sendall(outcomes)
    os._exit(0)


# --- children ------------------------------------------------------------------------------------------------


DESCRIPTORS = 65536
"""The most descriptors that this process may have: enough for the sockets of any world, and few enough to close."""


def _close_all_but(*kept: int) -> None:
    start = 0
    for descriptor in (*sorted(kept), DESCRIPTORS):
        if start < descriptor:  # an empty range means all of them to some versions of Python
            os.closerange(start, descriptor)
        start = descriptor + 1


def _reset_signals() -> None:
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGCHLD, signal.SIGPIPE, signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)


class Child:
    """A process that is one principal and tries what that principal tries, as `serve` has it.

    `serve` is called in the process with its end of the channel and does not return; `kept` are the descriptors that it
    needs.
    """

    def __init__(
        self, principal: Json, cwd: str, serve: Callable[[socket.socket], NoReturn], kept: Sequence[int] = ()
    ) -> None:
        self._channel, theirs = socket.socketpair()
        self.pid = os.fork()
        if self.pid == 0:
            try:
                _reset_signals()
                _close_all_but(theirs.fileno(), *kept)
                os.umask(0o022)
                os.chdir(cwd)
                become(principal)
                theirs.sendall(b"ready\n")
                serve(theirs)
            except RefusalError as refusal:
                theirs.sendall(str(refusal).encode() + b"\n")
            except OSError as error:
                theirs.sendall(f"{cwd} cannot be the working directory: {error.strerror}\n".encode())
            finally:
                os._exit(1)
        theirs.close()
        self._buffer = b""
        self._is_ready = False

    def wait_until_ready(self) -> None:
        """Wait until it is the principal. Raises RefusalError if it can't be that, or not in that directory."""
        if not self._is_ready:
            said = self._read_line()
            if said != b"ready":
                raise RefusalError(said.decode())
            self._is_ready = True

    def attempt(self, attempts: list[list[Any]]) -> list[list[Any]]:
        """Have it try, in order: for each the outcome, the refusing component and the peer's address."""
        self._channel.sendall(json.dumps(attempts).encode() + b"\n")
        done: list[list[Any]] = json.loads(self._read_line())
        return done

    def go(self) -> None:
        """Let a child of the grid try."""
        self._channel.sendall(b"!")

    def outcomes(self, count: int) -> bytes:
        """What a child of the grid found."""
        while len(self._buffer) < count:
            self._fill()
        found, self._buffer = self._buffer[:count], self._buffer[count:]
        return found

    def credentials(self) -> Json:
        """What the kernel says of this child: effective ids and supplementary groups (proc(5))."""
        fields = {}
        for line in Outside.read(f"/proc/{self.pid}/status").splitlines():
            key, _, value = line.partition(":")
            fields[key] = value.split()
        return {
            "pid": self.pid,
            "uid": int(fields["Uid"][1]),
            "gid": int(fields["Gid"][1]),
            "groups": sorted(map(int, fields["Groups"])),
        }

    def _read_line(self) -> bytes:
        while b"\n" not in self._buffer:
            self._fill()
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line

    def _fill(self) -> None:
        """Wait for the child. The agent's own input may end meanwhile: then all ends."""
        poll = select.poll()
        poll.register(self._channel, select.POLLIN)
        poll.register(0, 0)
        for descriptor, _ in poll.poll():
            if descriptor == 0:
                raise EndOfInput
            piece = self._channel.recv(1 << 20)
            if not piece:
                raise RefusalError(f"the process {self.pid} that makes attempts has died")
            self._buffer += piece

    def end(self) -> None:
        """End it; the main loop reaps it."""
        self._channel.close()
        os.kill(self.pid, signal.SIGKILL)


# --- processes -----------------------------------------------------------------------------------------------


class Process:
    """A started command, seen from the agent."""

    def __init__(self, number: int, pid: int, stdin: int, outputs: dict[str, int]) -> None:
        self.number = number
        self.pid = pid
        self.stdin: int | None = stdin
        self.outputs = outputs
        self.waiting = b""
        self.input_ends = False


def _execute(request: Json, streams: tuple[int, int, int], report: int) -> NoReturn:
    """In the forked process: become the principal and run the command. What fails is written to `report`."""
    try:
        os.setsid()
        _reset_signals()
        Outside.enter()
        for number, descriptor in enumerate(streams):
            os.dup2(descriptor, number)
        os.dup2(report, 3, inheritable=False)
        _close_all_but(0, 1, 2, 3)
        os.umask(request["umask"])
        os.chdir(request["directory"])
        become(request["principal"])
        command = request["command"]
        os.execvpe(command[0], command, request["environment"])
    except RefusalError as failure:
        os.write(3, str(failure).encode())
    except OSError as error:
        what = error.filename or request["command"][0]
        os.write(3, f"{request['command'][0]} cannot be started: {what}: {error.strerror}".encode())
    finally:
        os._exit(127)


class Agent:
    """The main loop: requests in, answers and news out."""

    def __init__(self) -> None:
        self.facts = _facts()
        self._builder = Builder()
        self._children: dict[str, Child] = {}
        self._grid: list[Child] = []
        self._processes: dict[int, Process] = {}
        self._started = 0
        self._selector = selectors.DefaultSelector()
        self._input: list[bytes] = []
        self._watched: list[socket.socket] = []

    def main(self) -> None:
        """Serve until the input ends."""
        awake, wake = os.pipe()
        for descriptor in (awake, wake):
            os.set_blocking(descriptor, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        self._selector.register(awake, selectors.EVENT_READ, self._reap)
        self._selector.register(0, selectors.EVENT_READ, self._read)
        with contextlib.suppress(EndOfInput):
            self._say({"ready": self.facts})
            while True:
                for key, _ in self._selector.select():
                    if key.fd in self._selector.get_map():  # an earlier event of this turn may have ended it
                        key.data(key.fd)

    def clean_up(self) -> None:
        """End everything that was started and take the world away, where nothing else does so."""
        for process in self._processes.values():
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        for child in (*self._children.values(), *self._grid):
            child.end()
        self._builder.clean()

    def _say(self, message: Json) -> None:
        data = memoryview(json.dumps(message).encode() + b"\n")
        while data:
            try:
                data = data[os.write(1, data) :]
            except BrokenPipeError:
                raise EndOfInput from None

    def _read(self, _: int) -> None:
        piece = os.read(0, 1 << 20)
        if not piece:
            raise EndOfInput
        head, *rest = piece.split(b"\n")
        self._input.append(head)
        for start in rest:
            line = b"".join(self._input)
            self._input = [start]
            self._answer(json.loads(line))

    def _answer(self, request: Json) -> None:
        try:
            done = getattr(self, "do_" + request["do"])(request)
        except RefusalError as failure:
            self._say({"id": request["id"], "failed": str(failure)})
        except Exception as error:  # whatever it was, the harness must hear of it, and the agent lives on
            self._say({"id": request["id"], "failed": f"the agent failed: {type(error).__name__}: {error}"})
        else:
            self._say({"id": request["id"], "done": done})

    # Requests

    def do_build(self, request: Json) -> None:
        """Make a world; whatever ran in the last one ends."""
        for process in self._processes.values():
            os.killpg(process.pid, signal.SIGKILL)
        for key in [key for key in self._children if not key.endswith(ANYWHERE)]:
            self._children.pop(key).end()
        while self._grid:
            self._grid.pop().end()
        for held in self._watched:
            self._selector.unregister(held)
        self._watched = []
        self._builder.build(request["world"])
        for listener in self._builder.listeners:
            if listener.accepts:
                self._selector.register(listener.held, selectors.EVENT_READ, lambda _, it=listener: it.drain())
                self._watched.append(listener.held)

    def do_attempt(self, request: Json) -> list[Any]:
        """Make attempts in order. Neighbours of one principal go to its child together."""
        attempts, paths, principals = request["attempts"], request["paths"], request["principals"]
        batches = _batches(attempts)
        done: list[Any] = []
        for number, (start, end) in enumerate(batches):
            who, _, cwd = attempts[start][:3]
            if cwd is None:
                for ahead, _ in batches[number : number + AHEAD]:
                    if attempts[ahead][2] is None:
                        self._child(principals[attempts[ahead][0]])
                child, directory = self._child(principals[who]), "/"
            else:
                walk = Walk(cwd + "/", "/", follow=True)  # by root, who enters it beforehand
                if walk.refusal:
                    done.append([walk.refusal, walk.at, None, None])
                    continue
                child, directory = self._child(principals[who], walk.at), walk.at
            rows = [
                [operation, paths[path], None if to is None else paths[to], mode, kind]
                for _, operation, _, path, to, mode, kind in attempts[start:end]
            ]
            try:
                child.wait_until_ready()
                done += self._attempt(child, directory, rows)
            except RefusalError:
                self._children = {key: it for key, it in self._children.items() if it is not child}
                child.end()
                raise
        return done

    def do_grid(self, request: Json) -> list[list[str]]:
        """Give a directory each of some modes in turn; each principal then tries every socket of the world.

        For each mode, and each principal, the outcomes in the order of the sockets: errnos, or 0, as hexadecimal bytes.
        """
        doors = [listener for listener in self._builder.listeners if listener.accepts]
        paths = [os.fsdecode(listener.address) for listener in doors]
        if not self._grid:
            held = [listener.held for listener in doors]
            kept = [door.fileno() for door in held]
            self._grid = [
                Child(principal, "/", lambda channel: _serve_grid(channel, paths, held), kept)
                for principal in request["principals"]
            ]
        found = []
        for mode in request["modes"]:
            os.chmod(request["directory"], mode)
            for child in self._grid:
                child.wait_until_ready()
                child.go()
            found.append([child.outcomes(len(paths)).hex() for child in self._grid])
        return found

    def do_start(self, request: Json) -> Json:
        """Start a command as a principal: its number for later requests, and its pid."""
        (stdin, ours_in), (ours_out, stdout), (ours_err, stderr) = os.pipe(), os.pipe(), os.pipe()
        failed, report = os.pipe()
        pid = os.fork()
        if pid == 0:
            # The descriptors that the child keeps must not lie where its streams go.
            high = [_above(descriptor) for descriptor in (stdin, stdout, stderr, report)]
            _execute(request, (high[0], high[1], high[2]), high[3])
        for descriptor in (stdin, stdout, stderr, report):
            os.close(descriptor)
        with os.fdopen(failed, "rb") as file:
            said = file.read()
        if said:
            for descriptor in (ours_in, ours_out, ours_err):
                os.close(descriptor)
            raise RefusalError(said.decode())
        for descriptor in (ours_in, ours_out, ours_err):
            os.set_blocking(descriptor, False)
        self._started += 1
        process = Process(self._started, pid, ours_in, {"stdout": ours_out, "stderr": ours_err})
        self._processes[pid] = process
        for stream, descriptor in process.outputs.items():
            self._selector.register(
                descriptor, selectors.EVENT_READ, lambda _, it=process, name=stream: self._forward(it, name)
            )
        return {"process": process.number, "pid": pid}

    def do_input(self, request: Json) -> None:
        """Pass text to a process's standard input, and close that afterwards if asked."""
        process = self._process(request["process"])
        if process is None or process.stdin is None:
            raise RefusalError("the process no longer reads its standard input")
        process.waiting += os.fsencode(request["text"])
        process.input_ends = process.input_ends or request["end"]
        self._feed(process)

    def do_signal(self, request: Json) -> None:
        """Send a signal to a process that has not been reaped."""
        process = self._process(request["process"])
        if process is None:
            raise RefusalError("the process has ended already")
        os.kill(process.pid, request["number"])

    # News

    def _process(self, number: int) -> Process | None:
        return next((it for it in self._processes.values() if it.number == number), None)

    def _feed(self, process: Process) -> None:
        assert process.stdin is not None
        registered = process.stdin in self._selector.get_map()
        try:
            while process.waiting:
                process.waiting = process.waiting[os.write(process.stdin, process.waiting) :]
        except BlockingIOError:
            if not registered:
                self._selector.register(process.stdin, selectors.EVENT_WRITE, lambda _: self._feed(process))
            return
        except BrokenPipeError:
            process.waiting, process.input_ends = b"", True
        if registered:
            self._selector.unregister(process.stdin)
        if process.input_ends:
            os.close(process.stdin)
            process.stdin = None

    def _forward(self, process: Process, stream: str) -> bool:
        """Pass on what a process wrote; False if there was nothing."""
        descriptor = process.outputs[stream]
        try:
            piece = os.read(descriptor, 1 << 16)
        except BlockingIOError:
            return False
        if piece:
            self._say({"process": process.number, stream: os.fsdecode(piece)})
            return True
        self._selector.unregister(descriptor)
        os.close(descriptor)
        del process.outputs[stream]
        return False

    def _reap(self, awake: int) -> None:
        try:
            while os.read(awake, 4096):
                pass
        except BlockingIOError:
            pass
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            process = self._processes.pop(pid, None)
            if process is not None:
                self._finish(process, os.waitstatus_to_exitcode(status))

    def _finish(self, process: Process, status: int) -> None:
        for stream in list(process.outputs):
            while self._forward(process, stream):
                pass
            if stream in process.outputs:  # a descendant still holds it
                descriptor = process.outputs.pop(stream)
                self._selector.unregister(descriptor)
                os.close(descriptor)
        if process.stdin is not None:
            if process.stdin in self._selector.get_map():
                self._selector.unregister(process.stdin)
            os.close(process.stdin)
        self._say({"process": process.number, "exit": status})

    # Attempts

    def _child(self, principal: Json, directory: str | None = None) -> Child:
        """The child that is this principal in that directory; of those that were not asked for lately, some end."""
        key = json.dumps(principal, sort_keys=True) + ANYWHERE
        if directory is not None:
            there = os.stat(directory)
            key += f"{there.st_dev} {there.st_ino} {directory}"  # another one may have got its name meanwhile
        child = self._children.pop(key, None)
        if child is None:
            protected = bool(self.facts["sysctls"].get("fs.protected_symlinks"))
            cwd = directory or "/"
            child = Child(principal, cwd, lambda channel: _serve_attempts(channel, cwd, protected))
            if len(self._children) >= CHILDREN:
                self._children.pop(next(iter(self._children))).end()
        self._children[key] = child
        return child

    def _attempt(self, child: Child, cwd: str, attempts: list[list[Any]]) -> list[Any]:
        for operation, path, to, *_ in attempts:
            if operation == "bind" and not path.startswith("@"):
                self._builder.expect_new(os.path.join(cwd, path))
            elif operation == "rename":
                self._builder.expect_new(os.path.join(cwd, to))
            elif operation == "chmod":
                self._builder.expect_change(os.path.join(cwd, path))
        answers = child.attempt(attempts)
        process = None
        done = []
        for (operation, *_), (outcome, at, peer) in zip(attempts, answers):
            if outcome == "ok" and operation == "connect":
                process = process or child.credentials()
                done.append([outcome, at, None, process, peer])
            else:
                done.append([outcome, at, None, None, None])
        self._introduce(child.pid, done)
        return [row[:4] for row in done]

    def _introduce(self, pid: int, done: list[list[Any]]) -> None:
        """Give each connection the credentials that a listener read: they queue in the order of the attempts."""
        peers = {bytes.fromhex(row[4]) for row in done if row[4] is not None}
        for address in peers:
            rows = [row for row in done if row[4] == address.hex()]
            met = [
                credentials
                for listener in self._builder.listeners
                if listener.address == address
                for credentials in listener.drain()
            ]
            theirs = [credentials for credentials in met if credentials["pid"] == pid]
            if len(theirs) == len(rows):  # else a server with the same address took some of them
                for row, credentials in zip(rows, theirs):
                    row[2] = credentials


CHILDREN = 64
"""Principals' children that are alive at the same time."""
AHEAD = 8
"""Children that are started before it is their turn."""
ANYWHERE = " anywhere"
"""Marks the children that stand in no directory of the world and so outlive it."""


def _batches(attempts: list[Any]) -> list[tuple[int, int]]:
    """Neighbouring attempts of one principal, as ranges of at most CHUNK; those in a directory stand alone."""
    found: list[tuple[int, int]] = []
    start = 0
    for number, (who, _, cwd, *_) in enumerate(attempts):
        if number and (
            number - start >= CHUNK or cwd is not None or (attempts[start][0], attempts[start][2]) != (who, cwd)
        ):
            found.append((start, number))
            start = number
    return [*found, (start, len(attempts))] if attempts else []


def _above(descriptor: int) -> int:
    while descriptor < 10:
        descriptor = os.dup(descriptor)
    return descriptor


def _facts() -> Json:
    sysctls = {}
    for name in SYSCTLS:
        with contextlib.suppress(OSError):  # this kernel has no such setting
            sysctls[name] = int(Outside.read("/proc/sys/" + name.replace(".", "/")))
    tools = [f"/opt/{name}/bin" for name in sorted(os.listdir("/opt"))] if os.path.isdir("/opt") else []
    own = os.path.dirname(sys.executable)
    system = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"]
    return {
        "system": platform.system(),
        "kernel": platform.release(),
        "machine": platform.machine(),
        "python": platform.python_version(),
        "sysctls": sysctls,
        "environment": {
            "PATH": ":".join(dict.fromkeys([*filter(os.path.isdir, tools), own, *system])),
            **{name: os.environ[name] for name in ("LD_LIBRARY_PATH",) if name in os.environ},
        },
    }


def _join_guard() -> socket.socket:
    """Connect to the guard, which is the first process of the place and ends with this connection."""
    while True:
        guard = socket.socket(socket.AF_UNIX)
        try:
            guard.connect("\0harness-guard")
        except ConnectionRefusedError:
            guard.close()
            time.sleep(0.005)  # the guard is only just being started, and nothing tells when it listens
        else:
            return guard


def _main() -> None:
    os.umask(0)
    os.chdir("/")
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, DESCRIPTORS)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    if sys.argv[1:] == ["guarded"]:
        with _join_guard():
            for path in SCRATCH:
                if os.path.isdir(path) and not os.path.islink(path):
                    _make_anew(path)
            Agent().main()
    elif sys.argv[1:2] == ["host"]:
        Outside.leave(sys.argv[2])
        agent = Agent()
        agent.main()
        agent.clean_up()
        Outside.enter()
        shutil.rmtree(sys.argv[2])
    else:
        Agent().main()
    os._exit(0)  # whoever is left here has nothing to say


if __name__ == "__main__":
    _main()
