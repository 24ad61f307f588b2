"""Who applies, and why, in words; names as a shell takes them."""

from __future__ import annotations

import os
import shlex
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from harness.oracle.filesystem import Inode
    from harness.oracle.permission import Permission
    from harness.oracle.rules import Rules
    from harness.world import InodeFlag, Principal, World

FLAG_LETTERS: Mapping[InodeFlag, str] = {"immutable": "i", "append-only": "a"}
"""The flags by the letters that chattr(1) takes."""


class Names:
    """The names of a world's users and groups by number."""

    def __init__(self, world: World) -> None:
        self.users: dict[int, str] = {}
        for user in world.users:
            self.users.setdefault(user.uid, user.name)
        self.groups = {gid: name for name, gid in reversed(list(world.groups.items()))}

    def uid(self, uid: int) -> str:
        """`1500 (ci)`."""
        return f"{uid} ({self.users[uid]})" if uid in self.users else str(uid)

    def gid(self, gid: int) -> str:
        """`999 (docker)`."""
        return f"{gid} ({self.groups[gid]})" if gid in self.groups else str(gid)


def letters(bits: int) -> str:
    """`rw` for 6; nothing for 0."""
    return "".join(letter for place, letter in enumerate("rwx") if bits & 4 >> place)


def because(principal: Principal, inode: Inode, answer: Permission, names: Names, rules: Rules) -> str:
    """Why that class applied, as a clause."""
    applied, _, matched = answer.entitlement
    if answer.passed is not None:
        return f"{answer.passed if rules.capabilities else 'root'} passes over missing permission bits here"
    if applied == "owner":
        return f"uid {names.uid(principal.uid)} is the owner"
    stranger = f"uid {names.uid(principal.uid)} is not the owner {names.uid(inode.uid)}"
    if applied == "acl user":
        return f"{stranger}; the ACL names that uid"
    if applied in {"group", "acl group"}:
        assert matched is not None
        which = "the group" if applied == "group" else "a group that the ACL names"
        how = "the gid" if matched == principal.gid else "one of the supplementary groups"
        return f"{stranger}; {how}, {names.gid(matched)}, is {which}"
    gids = sorted({principal.gid, *principal.groups})
    own = ", ".join(names.gid(gid) for gid in gids)
    verb = "is not" if len(gids) == 1 else "are not"
    plural = "gid" if len(gids) == 1 else "gids"
    skipped = inode.acl is not None and rules.acl_needs_group_bits and not inode.mode & 0o070
    acl = "; the ACL is passed over, since the group bits are all zero" if skipped else ""
    return f"{stranger}; {plural} {own} {verb} the group {names.gid(inode.gid)}{acl}"


def quoted(name: str) -> str:
    r"""The name by itself, in quotes, or as `$'...'` (POSIX.1-2024) where it has bytes that no terminal shows.

    >>> quoted("a b"), quoted("a\n'b")
    ("'a b'", "$'a\\x0a\\'b'")
    """
    if all(character.isprintable() for character in name):
        return shlex.quote(name)
    return "$'" + "".join(map(_escaped, name)) + "'"


def _escaped(character: str) -> str:
    if character in "'\\":
        return "\\" + character
    if character.isprintable():
        return character
    return "".join(f"\\x{byte:02x}" for byte in os.fsencode(character))


def closed_to_others(path: str, uid: int, gid: int) -> str:
    """Why a FUSE mount is closed to somebody."""
    return (
        f"{path} is a FUSE mount of uid {uid}, gid {gid} without allow_other: it lets in processes all of whose ids "
        "are these, and nobody else, not even root"
    )


def out_of_reach_through_fuse(path: str) -> str:
    """Why nobody is reached by what a FUSE mount shows as a socket (`unix_find_bsd` in net/unix/af_unix.c)."""
    return (
        f"no open socket was bound on the inode that a FUSE mount shows as {path}: through such a mount a socket of "
        "another file system can be seen, and not reached"
    )


def replaced(path: str) -> str:
    """Why a file that was mounted leads to nobody any more."""
    return (
        f"{path} is the file of a socket that is closed, and has been deleted or replaced where it was mounted from: a "
        "socket that its server has bound since is another file"
    )


def deleted(path: str) -> str:
    """Why nothing can be made in a directory."""
    return f"{path} has been deleted where it came from: no name is in it, and none can be made"


def flagged(path: str, flag: InodeFlag) -> str:
    """Why a flag of chattr(1) refuses something to everybody."""
    return f"{path} is {flag} (chattr +{FLAG_LETTERS[flag]}), which refuses that to everybody, root too"


def queue_is_full(path: str) -> str:
    """Why a listener can't be connected to."""
    return (
        f"the queue of {path} is full, so a client that does not block is told EAGAIN, and one that does hangs until "
        "the server accepts"
    )


def mounted_again(path: str) -> str:
    """What opens a FUSE mount to others."""
    return (
        f"unmount it (fusermount3 -u {quoted(path)}) and mount it again with -o allow_other, which takes root or "
        "user_allow_other in /etc/fuse.conf"
    )


def mounted_anew(path: str) -> str:
    """What makes a file that was mounted the one that is there now."""
    return f"mount {quoted(path)} again (restart the container), and its directory rather than the file"


def not_allowed(permissions: Iterable[str], label: str, kind: str, what: str) -> str:
    """What SELinux's policy does not give: permissions of a class to a type."""
    which = "" if label == "self" else f", which is {label}"
    return f"the process's SELinux domain may not {', '.join(permissions)} ({kind}) {what}{which}"
