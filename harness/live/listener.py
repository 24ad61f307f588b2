"""Which processes hold a socket: those that have it open, as /proc/PID/fd tells (proc_pid_fd(5))."""

from __future__ import annotations

import contextlib
import os
import re
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from harness.inside.procfs import status_fields
from harness.live.kernel_text import read_lines, unescaped_name
from harness.live.process import started

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

SECONDS: Final = 0.5
"""Of the processor, to look through the open files of all processes: on a busy machine no fewer are looked at."""
SHOWN: Final = 3
"""Processes that are told of: a server's workers all have its socket."""

_SOCKET: Final = re.compile(r"socket:\[(\d+)\]")


@dataclass(frozen=True, slots=True)
class Holder:
    """A process that has the socket open. `since` is when it was started, in seconds since the epoch."""

    pid: int
    name: str
    uid: int
    since: float


def holders(inode: int) -> tuple[Holder, ...]:
    """The oldest of the processes that hold the socket with this inode number, as far as we may look and there is
    time for.
    """
    wanted = f"socket:[{inode}]"
    until = time.thread_time() + SECONDS
    found: list[Holder] = []
    for pid in sorted(int(name) for name in os.listdir("/proc") if name.isdecimal()):
        if time.thread_time() > until or len(found) == SHOWN:
            break
        if any(link == wanted for link in _open_files(pid)):
            holder = _holder(pid)
            found += [] if holder is None else [holder]
    return tuple(sorted(found, key=lambda one: (one.since, one.pid)))


@dataclass(frozen=True, slots=True)
class OpenSocket:
    """A socket that a process has open, by the number of its descriptor, and the socket's inode number."""

    pid: int
    descriptor: int
    inode: int


def open_unix_sockets(listed: Collection[int]) -> Iterator[OpenSocket]:
    """The Unix sockets that processes have open and whose inode numbers are not among those listed already.

    A process may have made one in a network namespace that it has left, where sock_diag(7) does not find it. What
    kind a socket is, is told by an attribute that the kernel makes up (sockfs_xattr_get in net/socket.c).
    """
    for pid in (int(name) for name in os.listdir("/proc") if name.isdecimal()):
        for path, link in _links(pid):
            match = _SOCKET.fullmatch(link)
            if match is None or int(match[1]) in listed:
                continue
            with contextlib.suppress(OSError):
                if _getxattr(path, "system.sockprotoname").startswith(b"UNIX"):
                    yield OpenSocket(pid, int(path.rpartition("/")[2]), int(match[1]))


def _getxattr(path: str, name: str) -> bytes:
    if sys.platform != "linux":
        return b""
    return os.getxattr(path, name)


def _open_files(pid: int) -> Iterator[str]:
    return (link for _, link in _links(pid))


def _links(pid: int) -> Iterator[tuple[str, str]]:
    """The open files of a process, as paths of /proc, with what they lead to; none where we may not look."""
    try:
        names = os.listdir(f"/proc/{pid}/fd")
    except OSError:
        return
    for name in names:
        path = f"/proc/{pid}/fd/{name}"
        with contextlib.suppress(OSError):
            yield path, os.readlink(path)


def _holder(pid: int) -> Holder | None:
    try:
        fields = status_fields(pid)
        ticks = started(pid)
        booted = time.time() - float(read_lines("/proc/uptime")[0].split()[0])
    except (OSError, IndexError):
        return None
    since = booted + ticks / os.sysconf("SC_CLK_TCK")
    return Holder(pid, unescaped_name(fields[b"Name"]), int(fields[b"Uid"].split()[1]), since)
