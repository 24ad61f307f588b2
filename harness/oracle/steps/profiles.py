"""What the AppArmor profile of a process allows it, by the rules of `harness.world.profile`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.oracle.lookup import Refused
from harness.oracle.steps.trial import step
from harness.world.profile import allows, makes_sockets

if TYPE_CHECKING:
    from typing import Literal

    from harness.oracle.steps.trial import Trial


def _rules(trial: Trial) -> tuple[str, ...] | None:
    return None if trial.principal.confined is None else trial.principal.confined.apparmor


def may_have_sockets(trial: Trial) -> bool:
    """Whether no profile takes the making of Unix sockets away."""
    rules = _rules(trial)
    return rules is None or makes_sockets(rules)


@step
def profile_makes_sockets(trial: Trial) -> None:
    """The profile has `network unix` (`apparmor_socket_create` in security/apparmor/lsm.c)."""
    trial.at = trial.attempt.path
    if not may_have_sockets(trial):
        raise Refused("EACCES", trial.at, "the process's AppArmor profile lets it make no Unix sockets (network unix)")


def _expect(trial: Trial, access: Literal["r", "w", "x"], path: str, what: str, *, directory: bool = False) -> None:
    rules = _rules(trial)
    if rules is not None and not allows(rules, path, access, directory=directory):
        why = f"the process's AppArmor profile does not let it {what} {path} ({access})"
        raise Refused("EACCES", path, why, layer="AppArmor")


@step
def profile_connects(trial: Trial) -> None:
    """The profile lets the socket be written to, where the kernel asks about connections at all.

    security/apparmor/af_unix.c, `unix_fs_perm`: since Linux 6.17, of profiles whose compiler knows of it.
    """
    if trial.rules.profiles_of_peers:
        _expect(trial, "w", trial.at, "connect to")


@step
def profile_makes(trial: Trial) -> None:
    """The profile lets the name be made (AA_MAY_CREATE)."""
    _expect(trial, "w", trial.last.path, "make", directory=trial.attempt.operation == "mkdir")


@step
def profile_takes(trial: Trial) -> None:
    """The profile lets the name be removed (AA_MAY_DELETE)."""
    directory = trial.victim(trial.last)[1].kind == "directory"
    _expect(trial, "w", trial.last.path, "remove", directory=directory)


@step
def profile_moves(trial: Trial) -> None:
    """The profile lets both names be written (`apparmor_path_rename`)."""
    directory = trial.victim(trial.last)[1].kind == "directory"
    _expect(trial, "w", trial.last.path, "rename", directory=directory)
    _expect(trial, "w", trial.target.path, "make", directory=directory)


@step
def profile_changes(trial: Trial) -> None:
    """The profile lets the mode, or the owner and group, be changed (AA_MAY_CHMOD, AA_MAY_CHOWN)."""
    _expect(trial, "w", trial.at, "change", directory=trial.inode.kind == "directory")


@step
def profile_writes(trial: Trial) -> None:
    """The profile lets what is there be opened for writing, or be cut off (`apparmor_file_open`, AA_MAY_SETATTR)."""
    _expect(trial, "w", trial.at, "write to")


@step
def profile_reads(trial: Trial) -> None:
    """The profile lets what is there be opened for reading (`apparmor_file_open`)."""
    _expect(trial, "r", trial.at, "read", directory=trial.inode.kind == "directory")


@step
def profile_executes(trial: Trial) -> None:
    """The profile lets the program be run under it (`profile_transition` in security/apparmor/domain.c)."""
    _expect(trial, "x", trial.at, "execute")
