"""The attempt itself, really made as whoever is meant: the kernel's own word, for who asks for it.

A process of its own goes where the actor stands (network, mounts, root and working directory, user namespace), takes
their groups, ids and capabilities, and connects; what it has connected it closes at once.
"""

from __future__ import annotations

import ctypes
import errno
import os
import socket
import struct
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from harness.live.confinement import ELSE, confined_by
from harness.live.limits import in_child
from harness.live.lookup import PATH_ONLY
from harness.live.process import inside

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.live.actor import Actor
    from harness.world import Attempt, SocketType

SECONDS: Final = 1.0
HANGS: Final = "no answer"
"""The outcome where the kernel did not say anything in time."""

_TYPES: Final[Mapping[SocketType, int]] = {
    "stream": socket.SOCK_STREAM,
    "dgram": socket.SOCK_DGRAM,
    "seqpacket": getattr(socket, "SOCK_SEQPACKET", socket.SOCK_STREAM),
}
_NAMESPACES: Final[Mapping[str, int]] = {"net": 0x40000000, "mnt": 0x00020000, "user": 0x10000000}  # linux/sched.h
_PR_SET_KEEPCAPS: Final = 8  # linux/prctl.h
_CAPABILITY_VERSION_3: Final = 0x20080522  # linux/capability.h


@dataclass(frozen=True, slots=True)
class Tried:
    """What the kernel said: `ok`, an errno's name, or `HANGS`. `between` are what may be between it and the model."""

    outcome: str
    between: tuple[str, ...]


class TrialError(Exception):
    """The attempt can't be made as that actor: one sentence."""


def tried(actor: Actor, attempt: Attempt) -> Tried:
    """Connect as an actor. Raises TrialError."""
    if os.geteuid() != 0:
        raise TrialError("--try needs root, since only root can become another user")
    if attempt.operation != "connect":
        raise TrialError(f"--try is for connect, which leaves nothing behind; {attempt.operation} is not tried")
    try:
        outcome = in_child(lambda: _as_actor(actor, attempt), SECONDS)
    except TimeoutError:
        outcome = HANGS
    except (OSError, EOFError) as error:
        raise TrialError(f"this process can't become {actor.name} there: {error}") from error
    between = (f"{one}, which this attempt did not have" for one in confined_by(actor.pid))
    return Tried(outcome, (*between, ELSE))


def _as_actor(actor: Actor, attempt: Attempt) -> str:
    _become(actor, attempt)
    try:
        with socket.socket(socket.AF_UNIX, _TYPES[attempt.type]) as client:
            client.setblocking(False)  # a full queue is told, and not waited for
            client.connect(_address(attempt.path))
    except OSError as error:
        # What does not even fit into the structure has no errno of its own in Python.
        return errno.errorcode.get(error.errno or errno.EINVAL, str(error.errno))
    return "ok"


def _address(path: str) -> bytes:
    name = os.fsencode(path)
    return b"\0" + name[1:] if name.startswith(b"@") else name


def _become(actor: Actor, attempt: Attempt) -> None:
    """Stand where the actor stands, and have what they have; what the kernel shows below /proc is read before."""
    if sys.platform != "linux":
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    principal, process = actor.principal, actor.process
    uid, gid = principal.uid, principal.gid
    held = actor.capabilities
    foreign = process is not None and actor.namespace != os.readlink("/proc/self/ns/user")
    if process is not None and foreign:
        uid = inside(uid, process.pid, "uid_map")
        gid = inside(gid, process.pid, "gid_map")
    os.setgroups(principal.groups)  # by our numbers, since a user namespace may forbid it
    if process is not None:
        folder = f"/proc/{process.pid}"
        root, cwd = (os.open(f"{folder}/{name}", PATH_ONLY | os.O_DIRECTORY) for name in ("root", "cwd"))
        names = ("net", "mnt", "user") if foreign else ("net", "mnt")
        namespaces = [(name, os.open(f"{folder}/ns/{name}", os.O_RDONLY)) for name in names]
        for name, descriptor in namespaces:
            if name == "user":
                _stand(root, cwd)
            _call("setns", descriptor, _NAMESPACES[name])
        if not foreign:
            _stand(root, cwd)
    elif attempt.cwd is not None:
        os.chdir(attempt.cwd)
    _call("prctl", _PR_SET_KEEPCAPS, 1, 0, 0, 0)
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)
    header = struct.pack("=Ii", _CAPABILITY_VERSION_3, 0)
    low, high = held & 0xFFFFFFFF, held >> 32
    _call("capset", header, struct.pack("=6I", low, low, 0, high, high, 0))


def _stand(root: int, cwd: int) -> None:
    os.fchdir(root)
    os.chroot(".")
    os.fchdir(cwd)


def _call(name: str, *arguments: int | bytes) -> None:
    """A function of the C library that Python has not. Raises OSError."""
    if getattr(ctypes.CDLL(None, use_errno=True), name)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")
