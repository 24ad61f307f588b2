"""A system call on a socket that failed, as the process that made it had it."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import stat
import struct
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from harness.inside.libc import copy_descriptor
from harness.trace.memory import Memory

if TYPE_CHECKING:
    from collections.abc import Container
    from typing import Any

    from harness.trace.calls import Call, Name, TracedOperation

AT_FDCWD: Final = -100
INTERNET: Final = frozenset({16, 28})
"""Sizes of sockaddr_in and sockaddr_in6 (ip(7), ipv6(7))."""
UNREMARKABLE: Final = frozenset({errno.EINTR, errno.EINPROGRESS, errno.EALREADY, errno.EISCONN, errno.ENOTCONN})
"""No refusals: the call goes on, or the program asked of its own socket what that is not."""
LARGEST_ERRNO: Final = 511
"""Above are the kernel's own, such as ERESTARTSYS: the call begins anew (linux/errno.h)."""


@dataclass(frozen=True, slots=True)
class FailedCall:
    """Who called what, and the errno.

    `path` begins with `@` for an abstract name and is None for socket(). `base` is the directory at which a relative
    path begins, as the process would name it. `type` is that of the socket, None where it can't be known. `unreadable`:
    the process's memory is closed to us, so that its path, and whether it is one at all, is not known.
    """

    thread: int
    name: str
    operation: TracedOperation
    error: int
    path: str | None = None
    to: str | None = None
    mode: int | None = None
    type: int | None = None
    base: str | None = None
    unreadable: bool = False

    @property
    def outcome(self) -> str:
        """The errno's name."""
        return errno.errorcode.get(self.error, str(self.error))


def failed_call(
    thread: int, call: Call, arguments: tuple[int, ...], error: int, sockets: Container[str]
) -> FailedCall | None:
    """What a thread that stands at the end of a call was refused; None if that is no matter of a socket's.

    `sockets` are paths that are known to be sockets' though nothing may be there now. Raises OSError if the thread is
    gone.
    """
    if error in UNREMARKABLE or error > LARGEST_ERRNO:
        return None
    if call.operation == "socket":
        return FailedCall(thread, call.name, "socket", error, type=arguments[1] & 0xF)
    try:
        opened = Memory(thread)
    except PermissionError:
        # Of a file it is not known whether it is a socket, of an address of an internet family's size it is as good as.
        if call.address is None or arguments[call.address[1]] & 0xFFFFFFFF in INTERNET:
            return None
        return FailedCall(thread, call.name, call.operation, error, unreadable=True)
    with opened as memory:
        if call.paths:
            return _of_a_file(thread, call, arguments, error, memory, sockets)
        name: str | None = None
        if call.message is not None:
            name = memory.message_address(arguments[call.message])
        elif call.address is not None:
            at, size = call.address
            name = memory.address(arguments[at], arguments[size] & 0xFFFFFFFF)
    if name is None:
        return None
    base = None if name.startswith(("/", "@")) else os.readlink(f"/proc/{thread}/cwd")
    kind = _type(thread, arguments[0] & 0xFFFFFFFF)
    return FailedCall(thread, call.name, call.operation, error, name, type=kind, base=base)


def _of_a_file(
    thread: int, call: Call, arguments: tuple[int, ...], error: int, memory: Memory, sockets: Container[str]
) -> FailedCall | None:
    names = [_path(thread, name, arguments, memory) for name in call.paths]
    if not any(_is_socket(thread, path, base, sockets) for path, base in names):
        return None
    (path, base), *rest = names
    failed = FailedCall(thread, call.name, call.operation, error, path, base=None if path.startswith("/") else base)
    for second, start in rest:
        failed = replace(failed, to=second if start == base else os.path.join(start, second))
    if call.mode is not None:
        failed = replace(failed, mode=arguments[call.mode] & 0o7777)
    return failed


def _path(thread: int, name: Name, arguments: tuple[int, ...], memory: Memory) -> tuple[str, str]:
    """A path, and the directory at which it begins if it is relative."""
    path = memory.string(arguments[name.path])
    descriptor = AT_FDCWD if name.directory is None else _signed(arguments[name.directory])
    where = "cwd" if descriptor == AT_FDCWD else f"fd/{descriptor}"
    return path, os.readlink(f"/proc/{thread}/{where}") if not path.startswith("/") else "/"


def _is_socket(thread: int, path: str, base: str, sockets: Container[str]) -> bool:
    whole = os.path.join(base, path)
    if whole in sockets:
        return True
    for look in (os.lstat, os.stat):  # a symlink to one counts too
        with contextlib.suppress(OSError):
            if stat.S_ISSOCK(look(f"/proc/{thread}/root{whole}").st_mode):
                return True
    return False


def _type(thread: int, descriptor: int) -> int | None:
    """The type of a process's socket, asked of a copy of its descriptor."""
    try:
        with socket.socket(fileno=copy_descriptor(_process(thread), descriptor)) as held:
            kind: Any = struct.unpack("=i", held.getsockopt(socket.SOL_SOCKET, socket.SO_TYPE, 4))[0]
    except OSError:
        return None
    return int(kind)


def _process(thread: int) -> int:
    with Path(f"/proc/{thread}/status").open("rb") as file:
        return next(int(line.split()[1]) for line in file if line.startswith(b"Tgid:"))


def _signed(argument: int) -> int:
    return (argument & 0xFFFFFFFF ^ 0x80000000) - 0x80000000
