"""What is asked of a socket, once the path has led to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.oracle.permission import WRITE
from harness.oracle.reasons import out_of_reach_through_fuse, queue_is_full, replaced
from harness.oracle.steps.trial import step

if TYPE_CHECKING:
    from harness.oracle.steps.trial import Trial


@step
def write(trial: Trial) -> None:
    """Write permission on what the path names, whatever it is. That the mount is read-only is no reason."""
    trial.want(trial.spot, WRITE)


@step
def is_socket(trial: Trial) -> None:
    """It is a socket."""
    if trial.inode.kind != "socket":
        raise trial.refuse("ENOTSOCK", trial.at, f"{trial.at} is a {trial.inode.kind}, not a socket")


@step
def let_in(trial: Trial) -> None:
    """The mount lets in who asks what is there (`fuse_getattr`, `fuse_setattr`)."""
    trial.lookup.enter(trial.spot)


@step
def is_open(trial: Trial) -> None:
    """Some process has a socket open that was bound on this inode, and not on one that is shown as the same file."""
    if trial.system.state(trial.spot) != "stale":
        return
    why = f"{trial.at} is stale: the socket that was bound to it is closed"
    if trial.system.fuse(trial.spot) is not None:
        why = out_of_reach_through_fuse(trial.at)
    elif trial.inode.deleted:
        why = replaced(trial.at)
    raise trial.refuse("ECONNREFUSED", trial.at, why)


@step
def same_type(trial: Trial) -> None:
    """Both ends are of one type."""
    ours, theirs = trial.attempt.type, trial.inode.type
    if ours != theirs:
        raise trial.refuse(
            "EPROTOTYPE", trial.at, f"a {ours} socket can't be connected to the {theirs} socket {trial.at}"
        )


@step
def is_listening(trial: Trial) -> None:
    """Somebody called listen() on it. Datagram sockets have no such state."""
    if _state(trial) == "bound" and trial.attempt.type != "dgram":
        raise trial.refuse("ECONNREFUSED", trial.at, f"{trial.at} is bound, but nobody called listen() on it")


@step
def has_room(trial: Trial) -> None:
    """Its queue takes one more (`unix_recvq_full_lockless`): attempts do not wait until it does."""
    if _state(trial) == "full":
        raise trial.refuse("EAGAIN", trial.at, queue_is_full(trial.at))


def _state(trial: Trial) -> str | None:
    return _abstract_state(trial) if trial.found is None else trial.system.state(trial.spot)


def _abstract_state(trial: Trial) -> str | None:
    attempt = trial.attempt
    return trial.system.abstract.get((attempt.path, attempt.type, attempt.network))


@step
def known(trial: Trial) -> None:
    """A socket of this type has the abstract name. No permission is asked for."""
    if _abstract_state(trial) is None:
        raise trial.refuse("ECONNREFUSED", trial.at, f"no {trial.attempt.type} socket has the abstract name {trial.at}")


@step
def unclaimed(trial: Trial) -> None:
    """No socket of this type has the abstract name."""
    if _abstract_state(trial) is not None:
        raise trial.refuse(
            "EADDRINUSE", trial.at, f"another {trial.attempt.type} socket has the abstract name {trial.at}"
        )
