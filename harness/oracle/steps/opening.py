"""Opening what is there, for reading, writing or execution; and cutting it off.

fs/namei.c, `do_open` and `may_open`, unless another source is given.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from harness.oracle.lookup import OTHERS_WRITE, STICKY, Refused
from harness.oracle.permission import EXECUTE, READ, capable
from harness.oracle.steps.things import kept_mode
from harness.oracle.steps.trial import STEPS, flag_refuses, step

if TYPE_CHECKING:
    from harness.oracle.steps.trial import Trial

GROUP_WRITES = 0o020


@step
def may_read(trial: Trial) -> None:
    """Read permission."""
    trial.want(trial.spot, READ)


@step
def may_execute(trial: Trial) -> None:
    """Permission to execute."""
    trial.want(trial.spot, EXECUTE)


@step
def no_directory(trial: Trial) -> None:
    """It is no directory: those are not written to, whoever may; and when they are open, nothing is read of them."""
    if trial.inode.kind == "directory":
        raise trial.refuse("EISDIR", trial.at, f"{trial.at} is a directory")


@step
def is_directory(trial: Trial) -> None:
    """It is a directory."""
    if trial.inode.kind != "directory":
        raise trial.refuse("ENOTDIR", trial.at, f"{trial.at} is a {trial.inode.kind}, not a directory")


@step
def is_file(trial: Trial) -> None:
    """It is a file: nothing else is cut off (`vfs_truncate` in fs/open.c)."""
    if trial.inode.kind != "file":
        raise trial.refuse("EINVAL", trial.at, f"{trial.at} is a {trial.inode.kind}, not a file")


@step
def runs(trial: Trial) -> None:
    """It is a file on a mount that is not noexec: nothing else is executed, by root neither."""
    if trial.inode.kind != "file":
        raise trial.refuse("EACCES", trial.at, f"{trial.at} is a {trial.inode.kind}, which nobody can execute")
    if trial.system.runs_nothing(trial.spot):
        raise trial.refuse("EACCES", trial.at, f"{trial.at} is on a mount with the option noexec", trial.spot)


@step
def not_only_to_append(trial: Trial) -> None:
    """It is not append-only: an attempt neither asks for O_APPEND nor leaves what is there."""
    if "append-only" in trial.inode.flags:
        raise flag_refuses(trial.spot, "append-only")


@step
def writable_mount_of_file(trial: Trial) -> None:
    """If it is a file, its mount takes changes. (`do_dentry_open` in fs/open.c: last of all.)"""
    if trial.inode.kind == "file" and trial.system.frozen(trial.spot):
        raise trial.refuse("EROFS", trial.at, f"{trial.at} is on a read-only mount")


@step
def opens(trial: Trial) -> None:
    """It is no socket, and no FIFO that nobody reads and somebody would write to (fs/inode.c, `no_open`; fifo(7))."""
    kind = trial.inode.kind
    if kind == "socket":
        raise trial.refuse("ENXIO", trial.at, f"{trial.at} is a socket, which is connected to and not opened")
    if kind == "fifo" and trial.attempt.operation != "read":
        raise trial.refuse("ENXIO", trial.at, f"{trial.at} is a FIFO of which nobody reads")


@step
def names_a_file(trial: Trial) -> None:
    """The path ends in a name without a slash: else it is a directory's, which O_CREAT opens not, there or not."""
    if trial.last.sort != "name" or trial.last.slash:
        raise trial.refuse("EISDIR", trial.at, f"the path is that of a directory: {trial.at}")


@step
def unless_there(trial: Trial) -> None:
    """What has the name already is opened, by the steps of `create existing`."""
    trial.found = trial.system.look(trial.last.directory, trial.last.name)
    if trial.found is not None:
        for name in trial.rules.steps["create existing"]:
            STEPS[name](trial)
        trial.settled = True


@step
def not_in_a_sticky_directory(trial: Trial) -> None:
    """What is there is one's own, or the directory owner's, or in no directory where others put things.

    fs.protected_regular and fs.protected_fifos: with 1 those are sticky directories that all may write, with 2 those
    that a group may write too. Sockets are held to it whatever they say (`may_create_in_sticky`). No capability counts.
    """
    directory, inode = trial.directory(trial.last), trial.inode
    setting = {"file": trial.rules.protected_regular, "fifo": trial.rules.protected_fifos}.get(inode.kind, 1)
    if setting == 0 or not directory.mode & STICKY or inode.uid in {directory.uid, trial.principal.uid}:
        return
    if directory.mode & (OTHERS_WRITE | (GROUP_WRITES if setting > 1 else 0)):
        sysctl = {"file": "the sysctl fs.protected_regular is on, ", "fifo": "the sysctl fs.protected_fifos is on, "}
        raise Refused(
            "EACCES",
            trial.at,
            f"{sysctl.get(inode.kind, '')}{trial.last.directory.path} is sticky and others may write it, and "
            f"{trial.at} belongs to uid {inode.uid}, who is neither the opener nor the directory's owner: O_CREAT does "
            "not open it",
            spot=trial.spot,
        )


@step
def cut_off(trial: Trial) -> None:
    """Effect of truncate: without CAP_FSETID of the machine itself, and no user namespace's, the set-id bits go.

    fs/attr.c, `setattr_should_drop_suidgid`: capable(), which asks in the initial user namespace.
    """
    if trial.rules.own_users or not capable(trial.principal, "CAP_FSETID", trial.rules):
        cut = dataclasses.replace(trial.inode, mode=kept_mode(trial))
        trial.system = trial.system.with_inode(trial.spot.inode, cut)
