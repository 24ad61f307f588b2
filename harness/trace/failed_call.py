"""A system call on a socket that failed, as the process that made it had it."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from harness.trace.memory import Memory
from harness.trace.own_socket import own_socket

if TYPE_CHECKING:
    from collections.abc import Container

    from harness.trace.calls import Call, Name, TracedOperation

AT_FDCWD: Final = -100
INTERNET: Final = frozenset({16, 28})
"""Sizes of sockaddr_in and sockaddr_in6 (ip(7), ipv6(7))."""
UNREMARKABLE: Final = frozenset({errno.EINTR, errno.EINPROGRESS, errno.EALREADY, errno.EISCONN, errno.ENOTCONN})
"""No refusals: the call goes on, or the program asked of its own socket what that is not."""
AT_SYMLINK_NOFOLLOW: Final = 0x100
"""linux/fcntl.h."""
UNREACHABLE: Final = "(unreachable)"
"""What getcwd(2) of the kernel writes before the name of a directory that is not below the root directory."""
LARGEST_ERRNO: Final = 511
"""Above are the kernel's own, such as ERESTARTSYS: the call begins anew (linux/errno.h)."""


@dataclass(frozen=True, slots=True)
class FailedCall:
    """Who called what, and the errno.

    `path` begins with `@` for an abstract name and is None for socket(). `base` is the directory at which a relative
    path begins, as the process would name it, and `start` the link to it in the thread's folder of /proc, None where
    that does not lead there any more. `descriptor` is that of the socket, `type` its type, None where it can't be
    known, and `size` the length of the address. `flags` are those of calls on files; `owner` and `group` chown's, in
    the numbers of the process. `link`: it is about the symlink at the path's end, and not about what that leads to.
    `unreadable`: the process's memory is closed to us, so that its path, and whether it is one at all, is not known.
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
    start: str | None = None
    descriptor: int | None = None
    size: int | None = None
    flags: int = 0
    owner: int | None = None
    group: int | None = None
    link: bool = False
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
        if call.message is not None:
            at, size = memory.message(arguments[call.message])
        else:
            assert call.address is not None
            at, size = (arguments[number] for number in call.address)
        size &= 0xFFFFFFFF
        name = memory.address(at, size)
    if name is None:
        return None
    descriptor = _signed(arguments[0])
    kind = _type(thread, descriptor)
    failed = FailedCall(thread, call.name, call.operation, error, name, type=kind, descriptor=descriptor, size=size)
    if not name or name.startswith(("/", "@")):
        return failed
    return replace(failed, base=_base(thread, "cwd"), start="cwd")


@dataclass(frozen=True, slots=True)
class _Path:
    """A path, and if it is relative, the link in the thread's folder of /proc to where it begins, and its name."""

    text: str
    start: str | None
    base: str | None

    @property
    def whole(self) -> str:
        return os.path.join(self.base or "/", self.text)

    def found_from(self, thread: int) -> str:
        """The path by which we find it."""
        return f"/proc/{thread}/root{self.text}" if self.start is None else f"/proc/{thread}/{self.start}/{self.text}"


def _of_a_file(
    thread: int, call: Call, arguments: tuple[int, ...], error: int, memory: Memory, sockets: Container[str]
) -> FailedCall | None:
    paths = [_path(thread, name, arguments, memory) for name in call.paths]
    if not any(_is_socket(thread, path, sockets) for path in paths):
        return None
    first, *rest = paths
    begins = next((path for path in paths if path.start is not None), first)
    failed = FailedCall(thread, call.name, call.operation, error, first.text, base=begins.base, start=begins.start)
    if first.start != begins.start:
        failed = replace(failed, path=first.whole)
    for second in rest:
        failed = replace(failed, to=second.text if second.start in {None, begins.start} else second.whole)
    if call.mode is not None:
        failed = replace(failed, mode=arguments[call.mode] & 0o7777)
    if call.owner is not None:
        owner, group = (_id(arguments[number]) for number in call.owner)
        failed = replace(failed, owner=owner, group=group)
    flags = 0 if call.flags is None else arguments[call.flags] & 0xFFFFFFFF
    of_name = call.operation in {"chmod", "chown"} and not (call.follows and not flags & AT_SYMLINK_NOFOLLOW)
    return replace(failed, flags=flags, link=of_name and _is_link(first.found_from(thread)))


def _path(thread: int, name: Name, arguments: tuple[int, ...], memory: Memory) -> _Path:
    text = memory.string(arguments[name.path])
    if text.startswith("/"):
        return _Path(text, None, None)
    descriptor = AT_FDCWD if name.directory is None else _signed(arguments[name.directory])
    start = "cwd" if descriptor == AT_FDCWD else f"fd/{descriptor}"
    return _Path(text, start, _base(thread, start))


def _base(thread: int, start: str) -> str:
    """The name of the directory that a link of a thread's folder leads to, from the thread's own root directory on."""
    name, root = (os.readlink(f"/proc/{thread}/{link}") for link in (start, "root"))
    if root == "/":
        return name
    if name == root or name.startswith(f"{root}/"):
        return name.removeprefix(root) or "/"
    return f"{UNREACHABLE}{name}"


def _is_socket(thread: int, path: _Path, sockets: Container[str]) -> bool:
    if path.whole in sockets:
        return True
    for look in (os.lstat, os.stat):  # a symlink to one counts too
        with contextlib.suppress(OSError):
            if stat.S_ISSOCK(look(path.found_from(thread)).st_mode):
                return True
    return False


def _is_link(path: str) -> bool:
    try:
        return stat.S_ISLNK(os.lstat(path).st_mode)
    except OSError:
        return False


def _id(argument: int) -> int | None:
    """A uid or gid; None for -1, which changes nothing."""
    number = argument & 0xFFFFFFFF
    return None if number == 0xFFFFFFFF else number


def _type(thread: int, descriptor: int) -> int | None:
    """The type of a process's socket, asked of a copy of its descriptor."""
    try:
        with own_socket(thread, descriptor) as held:
            return int(held.type)
    except OSError:
        return None


def _signed(argument: int) -> int:
    return (argument & 0xFFFFFFFF ^ 0x80000000) - 0x80000000
