"""Who a process is by the kernel's word: this one, another one, or the one at the other end of a socket."""

from __future__ import annotations

import errno
import os
import pwd
import socket
import struct
import sys
from typing import TYPE_CHECKING

from harness.inside.principal import GID_AMONG_GROUPS, MOST_GROUPS

if TYPE_CHECKING:
    from harness.inside.messages import EncodedCredentials, NamedCredentials

SOL_LOCAL, LOCAL_PEERCRED, LOCAL_PEERPID = 0, 1, 2
"""macOS, FreeBSD: sys/un.h; macOS's LOCAL_PEERPID is the process that used the other end last."""
XUCRED = {"darwin": "IIh2x16I", "freebsd": "IIh2x16I4xi4x" if struct.calcsize("P") == 8 else "IIh2x16Ii"}
"""struct xucred (sys/ucred.h): version, uid, how many groups, groups, and FreeBSD's pid; the first group is the gid."""
SO_PEERGROUPS = 0x24 if os.uname().machine.startswith("parisc") else 59  # asm-generic/socket.h
NGROUPS_MAX = 65536  # linux/limits.h


def of_this_process() -> EncodedCredentials:
    """The effective ids and the supplementary groups of this process."""
    return {"pid": os.getpid(), "uid": os.geteuid(), "gid": os.getegid(), "groups": sorted(set(_own_groups()))}


def _own_groups() -> list[int]:
    """The supplementary groups that the kernel keeps of this process: getgroups(2) less the gid, where that is one.

    macOS's os.getgroups() asks the directory for the user's instead (`getgroups$DARWIN_EXTSN`; getgroups(2)).
    """
    if sys.platform == "darwin":
        import ctypes  # noqa: PLC0415 - which no other system needs here

        from harness.inside.libc import LIBC, called  # noqa: PLC0415

        kept = (ctypes.c_uint32 * MOST_GROUPS)()
        count = called(LIBC.getgroups(MOST_GROUPS, kept))
        return list(kept[1:count])
    groups = os.getgroups()
    return groups[1:] if GID_AMONG_GROUPS else groups


def named() -> NamedCredentials:
    """The same, with the name of its user."""
    return {**of_this_process(), "user": user_name(os.geteuid())}


def user_name(uid: int) -> str | None:
    """The name of a uid, where it has one."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return None


def of_process(pid: int, status: str) -> EncodedCredentials:
    """The effective ids and the supplementary groups of a process by the text of /proc/PID/status (proc(5))."""
    fields = {}
    for line in status.split("\n"):
        key, _, value = line.partition(":")
        fields[key] = value.split()
    return {
        "pid": pid,
        "uid": int(fields["Uid"][1]),
        "gid": int(fields["Gid"][1]),
        "groups": sorted(map(int, fields["Groups"])),
    }


def of_peer(connection: socket.socket) -> EncodedCredentials:
    """What the kernel keeps of the process that connected: pid, effective ids, supplementary groups (unix(7)).

    The pid is `None` where the kernel tells none: macOS's only as long as the other end is open. Raises OSError on a
    system that is not asked in this way.
    """
    system = next((name for name in XUCRED if sys.platform.startswith(name)), None)
    if system is not None:
        return _of_peer_by_xucred(connection, XUCRED[system])
    if sys.platform != "linux":
        raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP))
    pid, uid, gid = struct.unpack("iII", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    size = 4 * 64
    while True:
        try:
            raw = connection.getsockopt(socket.SOL_SOCKET, SO_PEERGROUPS, size)
        except OSError as error:
            if error.errno != errno.ERANGE or size > 4 * NGROUPS_MAX:
                raise
            size *= 4
        else:
            return {"pid": pid, "uid": uid, "gid": gid, "groups": sorted(struct.unpack(f"{len(raw) // 4}I", raw))}


def _of_peer_by_xucred(connection: socket.socket, layout: str) -> EncodedCredentials:
    _, uid, count, *rest = struct.unpack(
        layout, connection.getsockopt(SOL_LOCAL, LOCAL_PEERCRED, struct.calcsize(layout))
    )
    groups, pid = rest[:16], rest[16] if len(rest) > 16 else _last_user(connection)
    return {"pid": pid or None, "uid": uid, "gid": groups[0], "groups": sorted(set(groups[1:count]))}


def _last_user(connection: socket.socket) -> int:
    try:
        return int.from_bytes(connection.getsockopt(SOL_LOCAL, LOCAL_PEERPID, 4), sys.byteorder)
    except OSError:  # ENOTCONN: the other end is closed (bsd/kern/uipc_usrreq.c, `uipc_ctloutput`)
        return 0
