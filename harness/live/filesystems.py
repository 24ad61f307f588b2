"""What a file system's kind means for who passes, who connects and who binds. Pure; the facts are Linux's."""

from __future__ import annotations

import errno
import posixpath
from typing import TYPE_CHECKING, Final

from harness.live.components import Hidden
from harness.live.obstacle import Obstacle
from harness.oracle import (
    Change,
    closed_to_others,
    deleted,
    mounted_again,
    mounted_anew,
    out_of_reach_through_fuse,
    quoted,
    replaced,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from harness.live.actor import Actor
    from harness.live.components import Component
    from harness.live.mounts import Fuse, MountPoint

WITHOUT_SOCKETS: Final = frozenset(
    {"autofs", "binfmt_misc", "bpf", "cgroup", "cgroup2", "configfs", "debugfs", "devpts", "efivarfs", "exfat"}
    | {"fusectl", "hfs", "iso9660", "mqueue", "msdos", "nsfs", "pstore", "securityfs", "sysfs", "tracefs", "vfat"}
)
"""No mknod among the directory's operations: bind is EPERM (vfs_mknod in fs/namei.c)."""

ELSEWHERE: Final = frozenset(
    {"9p", "afs", "ceph", "cifs", "lustre", "ncpfs", "nfs", "nfs4", "smb3", "vboxsf", "virtiofs"}
)
"""Another machine decides, by its own idea of who asks."""

HEEDLESS: Final = frozenset({"fuse.sshfs"})
"""Servers of FUSE mounts that do not look at who asks: without default_permissions everybody passes everywhere."""

BINDS: Final[Mapping[str, bool]] = {"fuse.bindfs": True, "fuse.sshfs": False}
"""Whether a socket can be made there; of other servers that is not known. (SFTP has no request for it.)"""

_DEAD: Final = frozenset({errno.ENOTCONN, errno.ECONNABORTED})


def title(mount: MountPoint, actor: Actor) -> str:
    """What is mounted, and whose it is: `tmpfs ro`, `ext4 /srv/app`, `fuse.sshfs of bob (uid 1001)`."""
    words = [mount.filesystem]
    if mount.root != "/":
        words.append(mount.root.replace("//deleted", ", deleted"))
    words += mount.options
    if mount.fuse is not None:
        words.append(f"of {_name(mount.fuse.uid, actor)}")
        words += [] if mount.fuse.allow_other else ["without allow_other"]
    return " ".join(words)


def modes_count(mount: MountPoint) -> bool:
    """Whether the kernel holds anybody to the modes that are shown there."""
    return mount.fuse is None or mount.fuse.default_permissions


def obstacles(way: Sequence[Component | Hidden], mounts: Mapping[int, MountPoint], actor: Actor) -> Iterator[Obstacle]:
    """What the file systems on the way of a path mean for an actor; `way` ends with what could not be looked at."""
    entered: set[int] = set()
    for one in way:
        mount = None if one.mount is None else mounts.get(one.mount)
        if mount is not None and mount.number not in entered:
            entered.add(mount.number)
            yield from _on_entering(one.path, mount, actor)
    last = way[-1] if way else None
    if isinstance(last, Hidden):
        yield from _broken(last.path, last.error, None if last.mount is None else mounts.get(last.mount), actor)


def obstacles_to_bind(directory: Component, mount: MountPoint | None) -> Iterator[Obstacle]:
    """Why no socket can be made in a directory, whoever asks."""
    at = directory.path
    if directory.kind == "directory" and directory.status.st_nlink == 0:
        yield Obstacle(at, "ENOENT", deleted(at), last=True)
    if mount is None:
        return
    kind = mount.filesystem
    if kind == "proc":
        yield Obstacle(at, "ENOENT", f"{at} is in the file system proc, in which no name can be made", last=True)
    elif kind in WITHOUT_SOCKETS or BINDS.get(kind) is False:
        yield Obstacle(
            at,
            "EPERM",
            f"{at} is in the file system {kind}, which can hold no socket",
            (_elsewhere("bind in a directory of another file system, such as one below /run"),),
            last=True,
        )
    elif mount.fuse is not None and kind not in BINDS:
        yield Obstacle(
            at, None, f"whether {kind}, which is mounted on {mount.path}, can hold a socket is not known", (), last=True
        )


def out_of_reach(socket: Component, mount: MountPoint | None) -> Obstacle | None:
    """Why nobody is reached by the file of a socket, though its server may live.

    A connection looks for the socket that was bound on this very inode (unix_find_bsd in net/unix/af_unix.c).
    """
    at = socket.path
    if mount is not None and mount.fuse is not None:
        below = posixpath.relpath(at, mount.path)
        source = mount.source if below == "." else posixpath.join(mount.source, below)
        where = quoted(source) if source.startswith("/") else "the path at which its server has bound it"
        change = _elsewhere(f"connect to {where}")
        return Obstacle(at, "ECONNREFUSED", out_of_reach_through_fuse(at), (change,), last=True, layer="socket")
    if socket.status.st_nlink == 0 or (mount is not None and mount.deleted):
        return Obstacle(at, "ECONNREFUSED", replaced(at), (_elsewhere(mounted_anew(at)),), last=True, layer="socket")
    return None


def _on_entering(at: str, mount: MountPoint, actor: Actor) -> Iterator[Obstacle]:
    fuse = mount.fuse
    if mount.filesystem in ELSEWHERE:
        yield Obstacle(
            at,
            None,
            f"{at} is in the file system {mount.filesystem}: its server decides who passes, so that is not known",
        )
    if fuse is None:
        return
    if not fuse.allow_other and not _is_who_mounted(actor, fuse):
        why = closed_to_others(mount.path, fuse.uid, fuse.gid)
        yield Obstacle(at, "EACCES", why, (_elsewhere(mounted_again(mount.path)),))
    elif not fuse.default_permissions and mount.filesystem not in HEEDLESS:
        yield Obstacle(
            at,
            None,
            f"{mount.path} is a FUSE mount ({mount.filesystem}) without default_permissions: its server decides who "
            "passes, and the modes say nothing, so that is not known",
        )


def _broken(at: str, error: int, mount: MountPoint | None, actor: Actor) -> Iterator[Obstacle]:
    what = at if mount is None else f"{mount.path} ({title(mount, actor)})"
    if error in _DEAD:
        where = at if mount is None else mount.path
        yield Obstacle(
            at,
            errno.errorcode[error],
            f"the server of the file system on {what} has ended: whoever goes there is told that it is not connected",
            (_elsewhere(f"umount -l {quoted(where)}  # and mount it again"),),
        )
    elif error == errno.ETIMEDOUT:
        yield Obstacle(
            at,
            None,
            f"what is at {at} did not answer in time, so a process that goes there may hang: look at its server",
        )


def _is_who_mounted(actor: Actor, fuse: Fuse) -> bool:
    uids, gids = actor.all_ids
    return uids == {fuse.uid} and gids == {fuse.gid}


def _name(uid: int, actor: Actor) -> str:
    account = actor.accounts.user(uid)
    return f"uid {uid}" if account is None else f"{account.name} (uid {uid})"


def _elsewhere(text: str) -> Change:
    return Change("elsewhere", None, text, 0)
