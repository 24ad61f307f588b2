"""Which state the socket behind a file or an abstract name is in: open and listening, open only, or left behind.

sock_diag(7) names a socket's file by the kernel's own numbers for device and inode, which hold whatever name it was
bound by and whatever became of that name; it is asked in each network namespace that is to be found. That a file is
left behind is said where the kernel itself says so. Names are compared for abstract sockets alone, byte by byte.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from harness.inside.sock_diag import TCP_CLOSE, TCP_LISTEN
from harness.live.listener import open_unix_sockets
from harness.live.mounts import device_of
from harness.live.network_namespace import open_namespace, open_namespace_of_socket, other_namespaces, unix_sockets

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

    from harness.inside.sock_diag import UnixSocket
    from harness.live.components import Component
    from harness.live.mounts import MountPoint
    from harness.world import SocketState, SocketType

SECONDS: Final = 2.0
"""Time for the answers of all network namespaces together."""

_TYPES: Final[Mapping[int, SocketType]] = {1: "stream", 5: "seqpacket", 2: "dgram"}  # linux/net.h
INODE_BITS: Final = 0xFFFFFFFF  # sock_diag tells no more of an inode's number


class SocketsUnknownError(Exception):
    """The kernel did not say which sockets there are: one sentence."""


@dataclass(frozen=True, slots=True)
class FoundSocket:
    """What is known of the socket behind a file or a name.

    `inode` is the number of the socket itself, `uid` whose process made it, `waiting` and `room` are a listener's
    queue: the connections that nobody has accepted, and how many may wait. `name` is what it was bound by.
    """

    type: SocketType
    state: SocketState
    inode: int | None = None
    uid: int | None = None
    waiting: int | None = None
    room: int | None = None
    name: str | None = None

    @property
    def full(self) -> bool:
        """Whether its queue takes nobody else now (unix_recvq_full in net/unix/af_unix.c)."""
        return self.type != "dgram" and None not in {self.waiting, self.room} and (self.waiting or 0) > (self.room or 0)


@dataclass(frozen=True, slots=True)
class SocketFile:
    """A socket's file by the numbers that sock_diag has for it.

    `unique` is False where a file system gives the same numbers to several files, as btrfs does in its subvolumes and
    overlayfs may over several file systems.
    """

    device: int
    inode: int
    unique: bool = True


def socket_file(component: Component, mounts: Iterable[MountPoint]) -> SocketFile:
    """The numbers of a component that is a socket, given the mounts of the process that sees it."""
    shown = device_of(component.status)
    if component.inode is not None:
        for mount in mounts:
            if mount.number == component.mount:
                return SocketFile(mount.device, component.inode, unique=mount.device == shown)
    return SocketFile(shown, component.status.st_ino)


def behind(file: SocketFile, path: str, bound: Callable[[], bool | None]) -> FoundSocket:
    """The socket behind a socket file. Opens no connection. Raises SocketsUnknownError where that can't be known.

    `bound` tells whether any socket is bound to the file, None where that is not told (`bound_file.is_bound`); it is
    asked only where it is not found in this network namespace.
    """
    until = time.monotonic() + SECONDS
    ours: tuple[UnixSocket, ...] = ()
    doubt = None
    try:
        ours = _of_process("self", until)
        if (found := _found(file, path, ours)) is not None:
            return found
    except SocketsUnknownError as error:
        doubt = str(error)
    there = bound()
    if there is False:
        return FoundSocket("stream", "stale")
    listed = {one.inode for one in ours}
    for sockets in itertools.chain(_of_others(until), _of_strays(listed, until)):
        listed |= {one.inode for one in sockets}
        if (found := _found(file, path, sockets)) is not None:
            return found
    if doubt is not None:
        raise SocketsUnknownError(doubt)
    if there is None:
        raise SocketsUnknownError(
            "no open socket is to be seen there, and the kernel does not tell this process whether there is one, which "
            "takes write permission on the file: run this as root"
        )
    raise SocketsUnknownError(
        "a socket is bound to it, but in the network namespaces that this process may ask there is none that would "
        "take a connection there"
    )


def _takes_calls(one: UnixSocket) -> bool:
    """Whether it is what connect(2) finds. Accepted connections have their listener's name and file too."""
    return _TYPES[one.type] == "dgram" or one.state in {TCP_LISTEN, TCP_CLOSE}


def _found(file: SocketFile, path: str, sockets: Iterable[UnixSocket]) -> FoundSocket | None:
    """The one of a namespace's sockets that is bound to a file. Raises SocketsUnknownError where it may be another."""
    numbers = (file.device, file.inode & INODE_BITS)
    matches = [one for one in sockets if one.file == numbers and _takes_calls(one)]
    if not matches:
        return None
    if file.unique or any(_is_named(one, path) for one in matches):
        return _summary(matches)
    raise SocketsUnknownError(
        "its file system may give the numbers of this file to another one, so the open socket that has them may be "
        "that one's"
    )


def everywhere(until: float) -> Iterator[UnixSocket]:
    """Every socket of each network namespace that may be asked, this one's first."""
    with contextlib.suppress(SocketsUnknownError):
        yield from _of_process("self", until)
        for sockets in _of_others(until):
            yield from sockets


def _of_others(until: float) -> Iterator[tuple[UnixSocket, ...]]:
    """The sockets of each other network namespace that may be asked."""
    for namespace in other_namespaces():
        with contextlib.suppress(OSError):
            yield unix_sockets(namespace, until)


def _of_strays(listed: Collection[int], until: float) -> Iterator[tuple[UnixSocket, ...]]:
    """The sockets of network namespaces that only an open socket keeps, where that one's may be asked.

    `listed` is to have the inode numbers of all that were given, so that no namespace is asked twice.
    """
    for stray in open_unix_sockets(listed):
        try:
            namespace = open_namespace_of_socket(stray.pid, stray.descriptor)
            try:
                sockets = unix_sockets(namespace, until)
            finally:
                os.close(namespace)
        except OSError:
            continue
        yield sockets


def _is_named(one: UnixSocket, path: str) -> bool:
    return one.name is not None and one.name.rstrip(b"\0") == os.fsencode(path)


def abstract(name: str, process: str = "self") -> tuple[FoundSocket, ...]:
    """The sockets of an abstract name (`@...`) in the network namespace of a process, at most one of each type.

    Raises SocketsUnknownError.
    """
    wanted = os.fsencode(name[1:])
    sockets = _of_process(process, time.monotonic() + SECONDS)
    holders = [one for one in sockets if one.abstract == wanted and _takes_calls(one)]
    by_type = ([one for one in holders if one.type == kind] for kind in _TYPES)
    return tuple(_summary(matches) for matches in by_type if matches)


def _of_process(process: str, until: float) -> tuple[UnixSocket, ...]:
    """The sockets in the network namespace of a process. Raises SocketsUnknownError."""
    try:
        namespace = open_namespace(process)
        try:
            return unix_sockets(namespace, until)
        finally:
            os.close(namespace)
    except OSError as error:
        where = "this network namespace" if process == "self" else f"the network namespace of process {process}"
        raise SocketsUnknownError(f"the sockets of {where} are not known: {error.strerror}") from error


def _summary(matches: Sequence[UnixSocket]) -> FoundSocket:
    best = next((one for one in matches if one.state == TCP_LISTEN), matches[0])
    kind = _TYPES[best.type]
    state: SocketState = "listening" if kind == "dgram" or best.state == TCP_LISTEN else "bound"
    name = None if best.name is None else os.fsdecode(best.name.rstrip(b"\0"))
    return FoundSocket(kind, state, best.inode, best.uid, best.waiting, best.room, name)
