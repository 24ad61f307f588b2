"""The system calls that are followed: their numbers on each machine, and where each has its path."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

TracedOperation = Literal["socket", "connect", "bind", "unlink", "rename", "chmod", "chown"]


@dataclass(frozen=True, slots=True)
class Name:
    """Arguments that name a file: which one is the path, and which the directory's descriptor, if there is one."""

    path: int
    directory: int | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """A system call. Numbers are positions among its arguments.

    `address` are those of a sockaddr and its length; `message` that of a msghdr, which has both; `paths` those of
    files. `mode` is chmod's, `owner` are chown's uid and gid, `flags` those of the calls that have some. `follows`:
    without flags, a symlink at a path's end is followed.
    """

    name: str
    operation: TracedOperation
    address: tuple[int, int] | None = None
    message: int | None = None
    paths: tuple[Name, ...] = ()
    mode: int | None = None
    owner: tuple[int, int] | None = None
    flags: int | None = None
    follows: bool = True


CALLS: Final[Mapping[str, Call]] = {
    call.name: call
    for call in (
        Call("socket", "socket"),
        Call("connect", "connect", address=(1, 2)),
        Call("sendto", "connect", address=(4, 5)),
        Call("sendmsg", "connect", message=1),
        Call("sendmmsg", "connect", message=1),
        Call("bind", "bind", address=(1, 2)),
        Call("unlink", "unlink", paths=(Name(0),)),
        Call("unlinkat", "unlink", paths=(Name(1, 0),), flags=2),
        Call("rename", "rename", paths=(Name(0), Name(1))),
        Call("renameat", "rename", paths=(Name(1, 0), Name(3, 2))),
        Call("renameat2", "rename", paths=(Name(1, 0), Name(3, 2)), flags=4),
        Call("chmod", "chmod", paths=(Name(0),), mode=1),
        Call("fchmodat", "chmod", paths=(Name(1, 0),), mode=2),
        Call("fchmodat2", "chmod", paths=(Name(1, 0),), mode=2, flags=3),
        Call("chown", "chown", paths=(Name(0),), owner=(1, 2)),
        Call("lchown", "chown", paths=(Name(0),), owner=(1, 2), follows=False),
        Call("fchownat", "chown", paths=(Name(1, 0),), owner=(2, 3), flags=4),
    )
}
"""By name; sendto and sendmsg to an address ask for what connect asks for (unix_dgram_sendmsg, net/unix/af_unix.c)."""


@dataclass(frozen=True, slots=True)
class Machine:
    """A machine as uname(2) names it, its AUDIT_ARCH (linux/audit.h), and its numbers (asm/unistd.h) of these calls, of
    those that take a filter, and of others that a filter may refuse.
    """

    name: str
    architecture: int
    numbers: Mapping[str, int]


MACHINES: Final[Mapping[str, Machine]] = {
    "x86_64": Machine(
        "x86_64",
        0xC000003E,
        {
            "socket": 41,
            "connect": 42,
            "sendto": 44,
            "sendmsg": 46,
            "bind": 49,
            "rename": 82,
            "unlink": 87,
            "chmod": 90,
            "chown": 92,
            "lchown": 94,
            "fchownat": 260,
            "unlinkat": 263,
            "renameat": 264,
            "fchmodat": 268,
            "sendmmsg": 307,
            "renameat2": 316,
            "fchmodat2": 452,
            "execve": 59,
            "truncate": 76,
            "openat": 257,
            "mkdir": 83,
            "prctl": 157,
            "seccomp": 317,
        },
    ),
    "aarch64": Machine(
        "aarch64",
        0xC00000B7,
        {
            "unlinkat": 35,
            "renameat": 38,
            "fchmodat": 53,
            "fchownat": 54,
            "socket": 198,
            "bind": 200,
            "connect": 203,
            "sendto": 206,
            "sendmsg": 211,
            "sendmmsg": 269,
            "renameat2": 276,
            "fchmodat2": 452,
            "mkdirat": 34,
            "truncate": 45,
            "openat": 56,
            "prctl": 167,
            "execve": 221,
            "seccomp": 277,
        },
    ),
}


def machine() -> Machine | None:
    """This machine's numbers; None where they are not known."""
    return MACHINES.get(platform.machine())
