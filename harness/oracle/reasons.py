"""Who applies, and why, in words; names as a shell takes them."""

from __future__ import annotations

import os
import shlex
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.oracle.filesystem import Inode
    from harness.oracle.permission import Permission
    from harness.oracle.rules import Rules
    from harness.world import Principal, World


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
