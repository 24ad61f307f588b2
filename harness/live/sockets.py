"""Which state the socket behind a file or an abstract name is in: open and listening, open only, or left behind.

sock_diag(7) names a socket's file by the kernel's own numbers for device and inode, which hold whatever name it was
bound by and whatever became of that name; it is asked in each network namespace that is to be found. Names are
compared for abstract sockets alone, byte by byte.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from harness.live.mounts import device_of
from harness.live.network_namespace import OtherNamespaces, open_namespace, unix_sockets
from harness.live.sock_diag import TCP_CLOSE, TCP_LISTEN

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from harness.live.components import Component
    from harness.live.mounts import MountPoint
    from harness.live.sock_diag import UnixSocket
    from harness.world import SocketState, SocketType

SECONDS: Final = 2.0
"""Time for the answers of all network namespaces together."""

_TYPES: Final[Mapping[int, SocketType]] = {1: "stream", 5: "seqpacket", 2: "dgram"}  # linux/net.h
_INODE_BITS: Final = 0xFFFFFFFF  # sock_diag tells no more of an inode's number


OUT_OF_SIGHT: Final = (
    "no open socket is to be seen there; its server may run where this process can't look (the host, another "
    "container, or any of them without root), so it is taken to be there"
)
UNTOLD: Final = (
    "no open socket is to be seen there; but this kernel does not tell by which numbers it knows the file, so its "
    "server is taken to be there"
)
AMBIGUOUS: Final = (
    "its file system may give the numbers of this file to another one, so the open socket that has them may be another"
)


class SocketsUnknownError(Exception):
    """The kernel did not say which sockets there are: one sentence."""


@dataclass(frozen=True, slots=True)
class FoundSocket:
    """What is known of the socket behind a file or a name. `doubt` is why it may be otherwise, as half a sentence."""

    type: SocketType
    state: SocketState
    doubt: str | None = None


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
    if component.open_file is not None:
        for mount in mounts:
            if mount.number == component.open_file.mount:
                return SocketFile(mount.device, component.open_file.inode, unique=mount.device == shown)
    return SocketFile(shown, component.status.st_ino, told=False)


def behind(file: SocketFile) -> FoundSocket:
    """The socket behind a socket file. Opens no connection. Raises SocketsUnknownError."""
    until = time.monotonic() + SECONDS
    numbers = (file.device, file.inode & _INODE_BITS)
    matches = [one for one in _of_process("self", until) if one.file == numbers]
    unasked: OSError | None = None
    others = OtherNamespaces()
    for namespace in () if matches else others:
        try:
            matches = [one for one in unix_sockets(namespace, until) if one.file == numbers]
        except OSError as error:
            unasked = error
        if matches:
            break
    if matches:
        found = _summary(matches)
        return found if file.unique else replace(found, doubt=AMBIGUOUS)
    if unasked is not None:
        raise SocketsUnknownError(f"the sockets of another network namespace are not known: {unasked.strerror}")
    if others.hidden or not file.told:
        return FoundSocket("stream", "listening", OUT_OF_SIGHT if others.hidden else UNTOLD)
    return FoundSocket("stream", "stale")


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
    if kind == "dgram" or any(one.state == TCP_LISTEN for one in matches):
        return FoundSocket(kind, "listening")
    return FoundSocket(kind, "bound" if any(one.state == TCP_CLOSE for one in matches) else "stale")
