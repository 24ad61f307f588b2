"""What a process is held to beside ids and capabilities."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.oracle.lookup import Refused
from harness.oracle.steps import policies, profiles
from harness.oracle.steps.trial import step
from harness.world import CALLS

if TYPE_CHECKING:
    from harness.oracle.steps.trial import Trial


@step
def allowed_call(trial: Trial) -> None:
    """No filter of system calls refuses the call, which it does before the kernel looks at any argument."""
    trial.at = trial.attempt.path
    refused = {} if trial.principal.confined is None else dict(trial.principal.confined.seccomp)
    for call in CALLS.get(trial.attempt.operation, ()):
        if call != "socket" and "socket" in CALLS[trial.attempt.operation] and not _makes_sockets(trial):
            return  # the socket itself is refused first
        if call in refused:
            what = "the making of Unix sockets" if call == "socket" else f"the system call {call}"
            raise Refused(
                refused[call], trial.at, f"a filter of system calls (seccomp) refuses {what} with {refused[call]}"
            )


def _makes_sockets(trial: Trial) -> bool:
    return profiles.may_have_sockets(trial) and policies.may_have_sockets(trial)


def domain(trial: Trial) -> frozenset[str]:
    """What a Landlock domain takes away from who tries."""
    return frozenset() if trial.principal.confined is None else trial.principal.confined.landlock


@step
def may_make_sockets(trial: Trial) -> None:
    """No Landlock domain takes the making of sockets away."""
    if "bind" in domain(trial):
        raise Refused(
            "EACCES",
            trial.last.directory.path,
            f"the process's Landlock domain lets it make no sockets in {trial.last.directory.path}",
        )


@step
def may_resolve_sockets(trial: Trial) -> None:
    """No Landlock domain takes connections to sockets of processes outside away; those of a world are outside."""
    if "resolve" in domain(trial):
        why = f"the process's Landlock domain keeps it from sockets of processes outside, and {trial.at} is one"
        raise Refused("EACCES", trial.at, why)


@step
def may_move_sockets(trial: Trial) -> None:
    """Who may make no sockets may move none; and a domain over files keeps all else in its directory.

    security/landlock/fs.c, `current_check_refer_path`, from ABI 2 on: a name asks for the right to make what it is of,
    and another directory for LANDLOCK_ACCESS_FS_REFER, which every domain lacks unless it is given.
    """
    if not domain(trial) & {"bind", "resolve"}:
        return
    there = trial.target.directory
    if "bind" in domain(trial) and trial.victim(trial.last)[1].kind == "socket":
        raise Refused("EACCES", there.path, f"the process's Landlock domain lets it bring no sockets to {there.path}")
    if trial.last.directory.inode != there.inode:
        raise Refused("EXDEV", trial.at, f"the process's Landlock domain keeps {trial.at} in its directory")


@step
def within_domain(trial: Trial) -> None:
    """The abstract name's socket is of the process's own Landlock domain; those of a world are of none."""
    if "abstract" in domain(trial):
        raise Refused(
            "EPERM",
            trial.at,
            f"the process's Landlock domain keeps it from abstract sockets of processes outside, and {trial.at} is one",
        )
