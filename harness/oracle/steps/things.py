"""Reading and changing what is there."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from harness.oracle.permission import capable, member
from harness.oracle.steps.trial import SETGID, SETUID, flag_refuses, step

if TYPE_CHECKING:
    from harness.oracle.steps.trial import Trial


@step
def is_symlink(trial: Trial) -> None:
    """It is a symlink."""
    if trial.inode.kind != "symlink":
        raise trial.refuse("EINVAL", trial.at, f"{trial.at} is a {trial.inode.kind}, not a symlink")


@step
def writable_mount_of_it(trial: Trial) -> None:
    """It is on a file system and a mount that take changes."""
    if trial.system.frozen(trial.spot):
        raise trial.refuse("EROFS", trial.at, f"{trial.at} is on a read-only mount")


@step
def unflagged(trial: Trial) -> None:
    """It is neither immutable nor append-only (`may_setattr` in fs/attr.c)."""
    for flag in trial.inode.flags:
        raise flag_refuses(trial.spot, flag)


@step
def ownership(trial: Trial) -> None:
    """It is one's own, or CAP_FOWNER."""
    if trial.principal.uid != trial.inode.uid and not capable(trial.principal, "CAP_FOWNER", trial.rules):
        raise trial.refuse(
            "EPERM",
            trial.at,
            f"{trial.at} belongs to uid {trial.inode.uid}; only its owner and {trial.privileged} may change its mode",
        )


@step
def change_mode(trial: Trial) -> None:
    """Effect of chmod. Without membership in the thing's group or CAP_FSETID the setgid bit is dropped in silence."""
    assert trial.attempt.mode is not None
    mode = trial.attempt.mode
    if not _in_group_or_capable(trial, trial.inode.gid):
        mode &= ~SETGID
    trial.system = trial.system.with_inode(trial.spot.inode, dataclasses.replace(trial.inode, mode=mode))


@step
def may_give_away(trial: Trial) -> None:
    """To another user with CAP_CHOWN alone; one's own to another group of one's own (`setattr_prepare` in fs/attr.c).

    Where a set-id bit goes on the way, its mode is changed too, which takes ownership or CAP_FOWNER.
    """
    uid, gid = trial.given_to
    who, inode = trial.principal, trial.inode
    if capable(who, "CAP_CHOWN", trial.rules):
        if kept_mode(trial) != inode.mode:
            ownership(trial)
        return
    if who.uid != inode.uid:
        raise trial.refuse("EPERM", trial.at, f"{trial.at} belongs to uid {inode.uid}: {_CHOWN}")
    if uid not in {None, inode.uid}:
        raise trial.refuse("EPERM", trial.at, f"{trial.at} would be given to uid {uid}: {_CHOWN}")
    if gid is not None and gid != inode.gid and not member(who, gid):
        raise trial.refuse("EPERM", trial.at, f"uid {who.uid} is not in the group {gid}: {_CHOWN}")


_CHOWN = "an owner may give it to a group that the owner is in, and all else takes CAP_CHOWN"


def kept_mode(trial: Trial) -> int:
    """The mode without the set-id bits that a change of owner, group or content takes from what is no directory.

    `chown_common` in fs/open.c, `setattr_should_drop_sgid` in fs/attr.c: the setgid bit stays without x for the group
    if who changes it is in the group or has CAP_FSETID.
    """
    inode = trial.inode
    if inode.kind == "directory":
        return inode.mode
    return inode.mode & ~SETUID & ~(SETGID if _loses_setgid(trial) else 0)


def _loses_setgid(trial: Trial) -> bool:
    """Whether a change takes the setgid bit from what is found: with x for the group always, through FUSE then alone.

    fs/fuse/dir.c, `fuse_setattr`.
    """
    if trial.inode.mode & 0o010:
        return True
    return trial.system.fuse(trial.spot) is None and not _in_group_or_capable(trial, trial.inode.gid)


def _in_group_or_capable(trial: Trial, gid: int) -> bool:
    return member(trial.principal, gid) or capable(trial.principal, "CAP_FSETID", trial.rules)


@step
def change_owner(trial: Trial) -> None:
    """Effect of chown. If a set-id bit goes, the setgid bit goes too of a group that who changes it is not in."""
    uid, gid = trial.given_to
    inode, mode = trial.inode, kept_mode(trial)
    after = dataclasses.replace(
        inode, uid=inode.uid if uid is None else uid, gid=inode.gid if gid is None else gid, mode=mode
    )
    if mode != inode.mode and not _in_group_or_capable(trial, after.gid):
        after = dataclasses.replace(after, mode=mode & ~SETGID)
    trial.system = trial.system.with_inode(trial.spot.inode, after)
