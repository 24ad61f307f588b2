"""Which state the socket behind a file or an abstract name is in: open and listening, open only, or left behind.

sock_diag(7) names a socket's file by the kernel's own numbers for device and inode, which hold whatever name it was
bound by and whatever became of that name; it is asked in each network namespace that is to be found. Names are
compared for abstract sockets alone, byte by byte.
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
from harness.live.network_namespace import OtherNamespaces, open_namespace, open_namespace_of_socket, unix_sockets

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

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
    overlayfs may over several file systems; `told` is False where the kernel did not tell its own numbers.
    """

    device: int
    inode: int
    unique: bool = True
    told: bool = True


def socket_file(component: Component, mounts: Iterable[MountPoint]) -> SocketFile:
    """The numbers of a component that is a socket, given the mounts of the process that sees it."""
    shown = device_of(component.status)
    if component.inode is not None:
        for mount in mounts:
            if mount.number == component.mount:
                return SocketFile(mount.device, component.inode, unique=mount.device == shown)
    return SocketFile(shown, component.status.st_ino, told=False)


def behind(file: SocketFile, path: str) -> FoundSocket:
    """The socket behind a socket file. Opens no connection. Raises SocketsUnknownError where that can't be known."""
    until = time.monotonic() + SECONDS
    numbers = (file.device, file.inode & INODE_BITS)
    matches: list[UnixSocket] = []
    unasked: OSError | None = None
    listed: set[int] = set()
    others = OtherNamespaces()
    for sockets in itertools.chain(_of_all(others, until), _of_strays(listed, until)):
        if isinstance(sockets, OSError):
            unasked = sockets
            continue
        listed |= {one.inode for one in sockets}
        matches = [one for one in sockets if one.file == numbers]
        if matches:
            break
    if matches and (file.unique or any(_is_named(one, path) for one in matches)):
        return _summary(matches)
    if matches:
        raise SocketsUnknownError(
            "its file system may give the numbers of this file to another one, so the open socket that has them may be "
            "that one's"
        )
    if unasked is not None:
        raise SocketsUnknownError(f"the sockets of another network namespace are not known ({unasked.strerror})")
    if others.hidden is not None:
        raise SocketsUnknownError(f"no open socket is to be seen there, but {others.hidden}")
    if not file.told:
        raise SocketsUnknownError(
            "no open socket is to be seen there, but this kernel does not tell by which numbers it knows the file"
        )
    strayed = {one.inode for one in open_unix_sockets(listed)}
    strayed -= {one.inode for one in everywhere(until)} if strayed else set()  # made since they were listed
    if strayed and strayed & {one.inode for one in open_unix_sockets(listed)}:
        raise SocketsUnknownError(
            "no open socket is to be seen there, but some process has one of a network namespace that no process is in "
            "and that can't be asked"
        )
    return FoundSocket("stream", "stale")


def everywhere(until: float) -> Iterator[UnixSocket]:
    """Every socket of each network namespace that may be asked, this one's first."""
    with contextlib.suppress(SocketsUnknownError):
        for sockets in _of_all(OtherNamespaces(), until):
            if not isinstance(sockets, OSError):
                yield from sockets


def _of_all(others: OtherNamespaces, until: float) -> Iterator[tuple[UnixSocket, ...] | OSError]:
    """The sockets of each network namespace, or why they are not to be had. Raises SocketsUnknownError of our own."""
    yield _of_process("self", until)
    for namespace in others:
        try:
            yield unix_sockets(namespace, until)
        except OSError as error:
            yield error


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
    holders = [one for one in _of_process(process, time.monotonic() + SECONDS) if one.abstract == wanted]
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
    """Accepted connections carry their listener's file too: they alone are a socket that is listening no more."""
    kind = _TYPES[matches[0].type]
    states = (TCP_LISTEN, TCP_CLOSE)
    best = min(matches, key=lambda one: states.index(one.state) if one.state in states else len(states))
    state: SocketState = "listening" if kind == "dgram" or best.state == TCP_LISTEN else "bound"
    if kind != "dgram" and best.state not in states:
        return FoundSocket(kind, "stale")
    name = None if best.name is None else os.fsdecode(best.name.rstrip(b"\0"))
    return FoundSocket(kind, state, best.inode, best.uid, best.waiting, best.room, name)
