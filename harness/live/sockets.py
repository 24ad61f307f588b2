"""Which state the socket behind a file is in: open and listening, open only, or left behind.

Two sources. sock_diag(7) names a socket's file by device and inode, which holds after a rename. Where that fails (a
file system that shows other numbers, a kernel without it) or the server lives in another network namespace,
/proc/PID/net/unix gives the name it was bound to, which counts if it still leads to this very file.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import struct
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from harness.world import SocketState, SocketType

# linux/netlink.h, linux/sock_diag.h, linux/unix_diag.h
NETLINK_SOCK_DIAG: Final = 4
SOCK_DIAG_BY_FAMILY: Final = 20
NLM_F_REQUEST, NLM_F_DUMP = 0x001, 0x300
NLMSG_ERROR, NLMSG_DONE = 2, 3
UDIAG_SHOW_NAME, UDIAG_SHOW_VFS = 0x01, 0x02
UNIX_DIAG_NAME, UNIX_DIAG_VFS = 0, 1
TCP_LISTEN, TCP_CLOSE = 10, 7  # net/tcp_states.h, which Unix sockets use too

_TYPES: Final[Mapping[int, SocketType]] = {1: "stream", 2: "dgram", 5: "seqpacket"}
_LISTENS: Final = 0x10000  # __SO_ACCEPTCON in the flags of /proc/net/unix
FIRST_PID_NAMESPACE: Final = "pid:[4026531836]"
"""PROC_PID_INIT_INO, include/linux/proc_ns.h: only from there are all processes to be seen."""


@dataclass(frozen=True, slots=True)
class OpenSocket:
    """A Unix socket that some process holds. `file` is the device and inode of its file, if the kernel told."""

    type: SocketType
    listens: bool
    connected: bool
    name: str
    file: tuple[int, int] | None


def open_sockets() -> tuple[OpenSocket, ...]:
    """Every Unix socket of this network namespace that has a name. Raises OSError where the kernel doesn't tell."""
    if sys.platform != "linux":
        raise OSError(errno.EPROTONOSUPPORT, os.strerror(errno.EPROTONOSUPPORT))
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_SOCK_DIAG) as kernel:
        show = UDIAG_SHOW_NAME | UDIAG_SHOW_VFS
        request = struct.pack("=BBHIIIII", socket.AF_UNIX, 0, 0, 0xFFFFFFFF, 0, show, 0, 0)
        header = struct.pack("=IHHII", 16 + len(request), SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST | NLM_F_DUMP, 1, 0)
        kernel.send(header + request)
        found: list[OpenSocket] = []
        while True:
            data = kernel.recv(1 << 18)
            for kind, message in _messages(data):
                if kind == NLMSG_DONE:
                    return tuple(found)
                if kind == NLMSG_ERROR:
                    code = -struct.unpack_from("=i", message)[0]
                    raise OSError(code, os.strerror(code))
                one = _parse(message)
                if one is not None:
                    found.append(one)


def _messages(data: bytes) -> Iterator[tuple[int, bytes]]:
    while len(data) >= 16:
        length, kind = struct.unpack_from("=IH", data)
        if not 16 <= length <= len(data):
            return
        yield kind, data[16:length]
        data = data[(length + 3) & ~3 :]


def _parse(message: bytes) -> OpenSocket | None:
    """struct unix_diag_msg: family, type, state, pad, inode, cookie; then attributes."""
    kind, state = struct.unpack_from("=xBB", message)
    name, file = b"", None
    attributes = message[16:]
    while len(attributes) >= 4:
        length, tag = struct.unpack_from("=HH", attributes)
        if not 4 <= length <= len(attributes):
            break
        value = attributes[4:length]
        if tag == UNIX_DIAG_NAME:
            name = value
        elif tag == UNIX_DIAG_VFS:
            inode, device = struct.unpack_from("=II", value)
            file = (device, inode)
        attributes = attributes[(length + 3) & ~3 :]
    if kind not in _TYPES or not name:
        return None
    shown = "@" + os.fsdecode(name[1:]) if name.startswith(b"\0") else os.fsdecode(name.split(b"\0")[0])
    return OpenSocket(_TYPES[kind], state == TCP_LISTEN, state not in {TCP_LISTEN, TCP_CLOSE}, shown, file)


@dataclass(frozen=True, slots=True)
class FoundSocket:
    """What is known of the socket behind a file. `certain` is False where it might be open out of our sight."""

    type: SocketType
    state: SocketState
    certain: bool = True


def behind(file: os.stat_result, root: str = "/") -> FoundSocket:
    """The socket behind a socket file, which `root` and a name lead to. Opens no connection."""
    ours: tuple[OpenSocket, ...] = ()
    device = (os.major(file.st_dev) << 20) | os.minor(file.st_dev)  # the kernel's own form, MKDEV
    with contextlib.suppress(OSError):
        ours = _ours()
        matches = [one for one in ours if one.file == (device, file.st_ino & 0xFFFFFFFF)]
        matches = matches or [
            one for one in ours if (one.file is None or one.file[0] != device) and _leads_to(one.name, file, root)
        ]
        if matches:
            return _summary(matches)
    others, blind = _elsewhere(file)
    if others:
        return _summary(others)
    blind = blind or any(_leads_nowhere(one, root) for one in ours)
    return FoundSocket("stream", "listening" if blind else "stale", certain=not blind)


def _ours() -> tuple[OpenSocket, ...]:
    """Those of this network namespace; by their names alone where sock_diag can't be asked: it may be a module."""
    try:
        return open_sockets()
    except OSError:
        return tuple(_named("self"))


def abstract(name: str, process: str = "self") -> FoundSocket | None:
    """The socket of an abstract name (`@...`) in the network namespace of a process. Raises OSError."""
    matches = [one for one in _named(process) if one.name == name]
    return _summary(matches) if matches else None


def _summary(matches: list[OpenSocket]) -> FoundSocket:
    """Accepted connections carry their listener's file too: they alone are a socket that is listening no more."""
    for one in matches:
        if one.listens or one.type == "dgram":
            return FoundSocket(one.type, "listening")
    waiting = [one for one in matches if not one.connected]
    return FoundSocket(matches[0].type, "bound" if waiting else "stale")


def _leads_to(name: str, file: os.stat_result, root: str) -> bool:
    if not name.startswith("/"):
        return False
    try:
        return os.path.samestat(os.stat(root.rstrip("/") + name), file)
    except OSError:
        return False


def _leads_nowhere(one: OpenSocket, root: str) -> bool:
    """Whether all that is known of a socket is a name that is relative, or that was moved: it may be anywhere."""
    if one.file is not None or one.name.startswith("@"):
        return False
    return not one.name.startswith("/") or not os.path.lexists(root.rstrip("/") + one.name)


def _elsewhere(file: os.stat_result) -> tuple[list[OpenSocket], bool]:
    """The sockets of other network namespaces behind a file, and whether there may be any that we can't look into."""
    try:
        blind = os.readlink("/proc/self/ns/pid") != FIRST_PID_NAMESPACE
        seen = {os.readlink("/proc/self/ns/net")}
        pids = [name for name in os.listdir("/proc") if name.isdecimal()]
    except OSError:
        return [], True
    for pid in pids:
        try:
            space = os.readlink(f"/proc/{pid}/ns/net")
            if space in seen:
                continue
            seen.add(space)
            named = _named(pid)
        except (FileNotFoundError, ProcessLookupError):
            continue
        except OSError:
            blind = True
            continue
        matches = [one for one in named if _leads_to(one.name, file, f"/proc/{pid}/root")]
        if matches:
            return matches, blind
    return [], blind


def _named(process: str) -> list[OpenSocket]:
    """The named sockets in the network namespace of a process, without their files. Raises OSError."""
    return list(parse_table(Path(f"/proc/{process}/net/unix").read_text("utf-8", "surrogateescape")))


def parse_table(text: str) -> Iterator[OpenSocket]:
    """The named sockets of /proc/net/unix: address, references, protocol, flags, type, state, inode, name."""
    for line in text.splitlines()[1:]:
        fields = line.split(maxsplit=7)
        if len(fields) == 8 and int(fields[4], 16) in _TYPES:
            listens = bool(int(fields[3], 16) & _LISTENS)
            connected = not listens and int(fields[5], 16) != 1  # SS_UNCONNECTED, linux/net.h
            yield OpenSocket(_TYPES[int(fields[4], 16)], listens, connected, fields[7], None)
