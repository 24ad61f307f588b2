"""A failed call of a process that is followed, explained as it stands still: by its ids, its mounts, this moment."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from harness.live import actor
from harness.live.confinement import ELSE, confined_by
from harness.live.judgement import find
from harness.live.process import ProcessError
from harness.live.scene import Wanted, scene

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.live.actor import Actor
    from harness.live.judgement import Judgement
    from harness.live.scene import Scene
    from harness.trace.calls import TracedOperation
    from harness.trace.failed_call import FailedCall
    from harness.world import Operation, SocketType

_TYPES: Final[Mapping[int, SocketType]] = {1: "stream", 2: "dgram", 5: "seqpacket"}
"""SOCK_STREAM and others, asm-generic/socket.h."""
_OPERATIONS: Final[Mapping[TracedOperation, Operation]] = {
    "connect": "connect",
    "bind": "bind",
    "unlink": "unlink",
    "rename": "rename",
    "chmod": "chmod",
    "chown": "stat",  # the way there; who may change an owner is told beside it
}
_FAMILY: Final = frozenset({"EAFNOSUPPORT", "EPERM", "EACCES"})
_UNREADABLE: Final = (
    "the process may not be dumped (PR_SET_DUMPABLE), so only root can read what it asks for: follow it as root"
)
_LIMITS: Final[Mapping[str, str]] = {
    "EMFILE": "the process has as many descriptors open as it may (RLIMIT_NOFILE)",
    "ENFILE": "the machine has as many files open as it may (fs.file-max)",
    "ENOMEM": "the kernel has no memory for it",
    "ENOBUFS": "the kernel has no memory for it",
}


@dataclass(frozen=True, slots=True)
class RefusedCall:
    """A failed call with what the model says of it, and why.

    `who` is the account's name, `program` the process's. `model` is `ok` or an errno's name, None where nothing is
    known. `seen` is what it was judged by, None where there was nothing to be looked at.
    """

    call: FailedCall
    who: str
    program: str
    model: str | None
    reason: str
    seen: tuple[Actor, Scene, Judgement] | None = None


def explained(call: FailedCall, ours: int) -> RefusedCall:
    """Explain a call while its thread stands still; of its filters, `ours` are the harness's own."""
    try:
        who = actor.process(call.thread, ours)
    except ProcessError as error:
        return RefusedCall(call, "?", "?", None, str(error))
    program = "?" if who.process is None else who.process.name
    if call.unreadable:
        return RefusedCall(call, who.name, program, None, _UNREADABLE)
    if call.operation == "socket":
        return RefusedCall(call, who.name, program, *_of_a_socket(call, who, ours))
    if call.outcome in _LIMITS:
        return RefusedCall(call, who.name, program, None, _LIMITS[call.outcome])
    if call.base is not None and (not call.base.startswith("/") or call.base.endswith(" (deleted)")):
        why = f"the directory at which the path begins is out of reach ({call.base})"
        return RefusedCall(call, who.name, program, None, why)
    try:
        seen = scene(who, _wanted(call, who))
        judgement = find(who, seen)
    except (OSError, ValueError) as error:
        return RefusedCall(call, who.name, program, None, f"it could not be looked at: {error}")
    model = judgement.decision.outcome if judgement.conclusive else None
    return RefusedCall(call, who.name, program, model, _reason(call, who, judgement, ours), (who, seen, judgement))


def _wanted(call: FailedCall, who: Actor) -> Wanted:
    return Wanted(
        _OPERATIONS[call.operation], call.path or "@", call.to, call.mode, _TYPES.get(call.type or 0), _base(call, who)
    )


def _base(call: FailedCall, who: Actor) -> str | None:
    """Where a relative path begins, as the process would name it: below its own root directory."""
    if call.base is None or who.root == "/":
        return call.base
    try:
        root = os.readlink(who.root)
    except OSError:
        return call.base
    return "/" + call.base.removeprefix(root).lstrip("/") if root != "/" else call.base


def _reason(call: FailedCall, who: Actor, judgement: Judgement, ours: int) -> str:
    decision = judgement.decision
    if judgement.conclusive and decision.outcome == call.outcome:
        return decision.why
    if call.operation == "chown" and call.outcome == "EPERM" and decision.outcome == "ok":
        return (
            f"only who has CAP_CHOWN may give {decision.at} to another user, and its owner may give it to a group of "
            "their own"
        )
    between = ", or ".join((*confined_by(who.pid, ours), ELSE))
    if not judgement.conclusive:
        unknown = judgement.notes[0] if judgement.notes else f"what is at {decision.at} is not known"
        return f"{unknown} (what else may refuse: {between})"
    return (
        f"the kernel says {call.outcome}, and the model {decision.outcome}: what may be in between is {between}, or "
        "what has changed since"
    )


def _of_a_socket(call: FailedCall, who: Actor, ours: int) -> tuple[str | None, str]:
    """What the model says of the making of a Unix socket, and why."""
    if call.outcome in _LIMITS:
        return None, _LIMITS[call.outcome]
    if call.type not in _TYPES and call.type != int(socket.SOCK_RAW):
        return None, f"there are no Unix sockets of type {call.type}"
    refused = {} if who.filtered.refused is None else dict(who.filtered.refused.seccomp)
    if "socket" in refused:
        said = refused["socket"]
        return said, f"a filter of system calls (seccomp) refuses the making of Unix sockets with {said}"
    between = [*confined_by(call.thread, ours)] if call.outcome in _FAMILY else []
    if between:
        return None, f"no Unix socket may be made: by {', or '.join(between)}"
    return None, "no Unix socket can be made, and why is not known"
