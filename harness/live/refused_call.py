"""A failed call of a process that is followed, explained as it stands still: by its ids, its mounts, this moment."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from harness.live import actor
from harness.live.by_itself import by_its_flags, by_itself
from harness.live.confinement import ELSE, confined_by
from harness.live.judgement import find
from harness.live.limits import in_child
from harness.live.process import ProcessError, inside
from harness.live.scene import Wanted, scene
from harness.trace.failed_call import UNREACHABLE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

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
    "chown": "chown",
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
    "ETOOMANYREFS": "the user has as many descriptors on their way in messages as may be (RLIMIT_NOFILE)",
}
_UNKNOWN_FAULT: Final = (
    "its own arguments, the state of its socket or the file system's rules refuse it, and which of these is not known"
)
_OF_ARGUMENTS: Final = frozenset({"EINVAL", "EBADF", "ENOTSOCK", "EOPNOTSUPP", "ENOTSUP", "EMSGSIZE", "EPIPE"})
"""What hardly any module says, but the kernel of arguments and of a socket's state."""
SECONDS: Final = 1.0


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
    why = by_itself(call)
    if why is not None and who.filtered.any:
        why += f", unless a filter of system calls (seccomp) on process {who.pid} refuses it so"
    why = why or _lost(call, who)
    return _judged(call, who, program, ours) if why is None else RefusedCall(call, who.name, program, None, why)


def _judged(call: FailedCall, who: Actor, program: str, ours: int) -> RefusedCall:
    """What the model says of a call's path."""
    try:
        seen = scene(who, _wanted(call, who))
        judgement = find(who, seen)
    except (OSError, ValueError) as error:
        return RefusedCall(call, who.name, program, None, f"it could not be looked at: {error}")
    model = judgement.decision.outcome if judgement.conclusive else None
    if model != call.outcome and (why := by_its_flags(call)) is not None:
        return RefusedCall(call, who.name, program, None, why)
    if model not in {None, call.outcome} and call.outcome in _OF_ARGUMENTS and not who.filtered.any:
        return RefusedCall(call, who.name, program, None, _UNKNOWN_FAULT)
    return RefusedCall(call, who.name, program, model, _reason(call, who, judgement, ours), (who, seen, judgement))


def _wanted(call: FailedCall, who: Actor) -> Wanted:
    assert call.path is not None
    operation = _OPERATIONS[call.operation]
    owner, group = _ours(call.owner, who, "uid_map"), _ours(call.group, who, "gid_map")
    if call.link:
        operation = "readlink"  # the way to the link; who may change it is told beside it
    elif operation == "chown" and owner is None and group is None:
        operation = "stat"
    if operation != "chown":
        owner = group = None
    return Wanted(
        operation, call.path, call.to, call.mode, _TYPES.get(call.type or 0), call.base, owner=owner, group=group
    )


def _ours(number: int | None, who: Actor, name: str) -> int | None:
    """Our number of an id that a process gives."""
    if number is None or who.namespace == os.readlink("/proc/self/ns/user"):
        return number
    return inside(number, who.pid, name)


def _lost(call: FailedCall, who: Actor) -> str | None:
    """Why the directory at which a relative path begins is not the one that its name leads to; None if it is."""
    if call.base is None:
        return None
    if call.base.startswith(UNREACHABLE):
        return f"the directory at which the path begins is outside of the process's root directory ({call.base})"
    if not call.base.startswith("/"):
        return f"that at which the path begins is no directory ({call.base})"
    if call.start is None:
        return None
    named, link = f"{who.root.rstrip('/')}{call.base}", f"/proc/{call.thread}/{call.start}"
    try:
        if in_child(lambda: os.path.samestat(os.stat(named), os.stat(link)), SECONDS):
            return None
    except (PermissionError, TimeoutError):
        return None  # what is hidden is told of the path
    except OSError:
        pass
    return (
        f"the directory at which the path begins is not to be found by its name ({call.base}), since it was removed, "
        "replaced or mounted upon, so what is in it is not known"
    )


def _reason(call: FailedCall, who: Actor, judgement: Judgement, ours: int) -> str:
    decision = judgement.decision
    if judgement.conclusive and decision.outcome == call.outcome:
        return decision.why
    if call.link and call.operation == "chown" and call.outcome == "EPERM" and decision.outcome == "ok":
        return (
            f"only who has CAP_CHOWN may give the symlink {decision.at} to another user, and its owner may give it to "
            "a group of their own"
        )
    if call.outcome == "EAGAIN" and call.operation == "connect" and decision.outcome == "ok":
        return f"the queue of {decision.at} was full when it was asked, and has room since"
    between = ", or ".join((*_by_the_other_end(call), *confined_by(who.pid, ours), ELSE))
    if not judgement.conclusive:
        unknown = judgement.notes[0] if judgement.notes else f"what is at {decision.at} is not known"
        return f"{unknown} (what else may refuse: {between})"
    return (
        f"the kernel says {call.outcome}, and the model {decision.outcome}: what may be in between is {between}, or "
        "what has changed since"
    )


def _by_the_other_end(call: FailedCall) -> Iterator[str]:
    """What may refuse a message or its sender, which no path tells (unix_may_send and unix_scm_to_skb in af_unix.c)."""
    if call.operation != "connect" or call.outcome != "EPERM":
        return
    if _TYPES.get(call.type or 0) == "dgram":
        yield "a receiver that is connected to another socket, which takes messages from that one alone"
    if call.name in {"sendmsg", "sendmmsg"}:
        yield "ids that the message claims (SCM_CREDENTIALS)"


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
