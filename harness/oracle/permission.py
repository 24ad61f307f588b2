"""May this principal do that with this inode? Classes, mode bits, ACLs, capabilities: no paths here."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from harness.oracle.decision import Class
    from harness.oracle.filesystem import Inode
    from harness.oracle.rules import ClassRule, Rules
    from harness.world import Principal

READ, WRITE, SEARCH = 4, 2, 1
EXECUTE = SEARCH
"""The same bit, of what is no directory."""


class Entitlement(NamedTuple):
    """The bits that a principal has by the class that applies. `id` is the uid or gid that matched, if any."""

    applied: Class
    bits: int
    id: int | None


class Permission(NamedTuple):
    """Whether what was wanted is granted, by which class, and which bits that class has.

    `passed` is the capability that granted what the bits refuse.
    """

    granted: bool
    wanted: int
    entitlement: Entitlement
    passed: str | None = None


def permission(principal: Principal, inode: Inode, wanted: int, rules: Rules) -> Permission:
    """The answer for `wanted` (of READ, WRITE, SEARCH), and how it comes about."""
    entitlement = applying(principal, inode, wanted, rules)
    if not wanted & ~entitlement.bits:
        return Permission(True, wanted, entitlement)
    on = "directory" if inode.kind == "directory" else "other" if inode.mode & 0o111 else "other without x"
    for override in rules.overrides:
        if override.on == on and not wanted & ~override.bits and capable(principal, override.capability, rules):
            return Permission(True, wanted, entitlement, override.capability)
    return Permission(False, wanted, entitlement)


def applying(principal: Principal, inode: Inode, wanted: int, rules: Rules) -> Entitlement:
    """The first class that matches, with its bits: no later class is asked, even if it has more."""
    for rule in rules.classes:
        entitlement = CLASSES[rule](principal, inode, wanted, rules)
        if entitlement is not None:
            return entitlement
    return Entitlement("other", 0, None)


def capable(principal: Principal, capability: str, rules: Rules) -> bool:
    """Whether the principal has a capability. Uid 0 has all unless its set is given and the kernel knows of such."""
    if principal.capabilities is None or not rules.capabilities:
        return principal.uid == 0
    return capability in principal.capabilities


def member(principal: Principal, gid: int) -> bool:
    """Whether a group is the principal's: its effective gid or one of the supplementary groups."""
    return gid == principal.gid or gid in principal.groups


def _owner(principal: Principal, inode: Inode, _wanted: int, _rules: Rules) -> Entitlement | None:
    if principal.uid != inode.uid:
        return None
    return Entitlement("owner", inode.mode >> 6 & 7, inode.uid)


def _acl(principal: Principal, inode: Inode, wanted: int, rules: Rules) -> Entitlement | None:
    mask = inode.mode >> 3 & 7
    if inode.acl is None or (rules.acl_needs_group_bits and mask == 0):
        return None
    for uid, bits in inode.acl.users:
        if uid == principal.uid:
            return Entitlement("acl user", bits & mask, uid)
    matching: Entitlement | None = None
    for gid, bits in ((inode.gid, inode.acl.owning_group), *inode.acl.groups):
        if member(principal, gid):
            # Several groups may match: one that has all that is wanted settles it, else the first stands for all.
            found = Entitlement("group" if gid == inode.gid else "acl group", bits & mask, gid)
            if not wanted & ~bits:
                return found
            matching = matching or found
    return matching or Entitlement("other", inode.mode & 7, None)


def _group(principal: Principal, inode: Inode, _wanted: int, _rules: Rules) -> Entitlement | None:
    if not member(principal, inode.gid):
        return None
    return Entitlement("group", inode.mode >> 3 & 7, inode.gid)


def _other(_principal: Principal, inode: Inode, _wanted: int, _rules: Rules) -> Entitlement | None:
    return Entitlement("other", inode.mode & 7, None)


CLASSES: Mapping[ClassRule, Callable[[Principal, Inode, int, Rules], Entitlement | None]] = {
    "owner": _owner,
    "acl": _acl,
    "group": _group,
    "other": _other,
}
"""How each class is recognised; `Rules.classes` gives the order."""
