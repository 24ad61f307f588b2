"""Who a process is by the kernel's word: this one, another one, or the one at the other end of a socket."""

from __future__ import annotations

import errno
import os
import pwd
import socket
import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.inside.messages import EncodedCredentials, NamedCredentials

SO_PEERGROUPS = 0x24 if os.uname().machine.startswith("parisc") else 59  # asm-generic/socket.h
NGROUPS_MAX = 65536  # linux/limits.h


def of_this_process() -> EncodedCredentials:
    """The effective ids and the supplementary groups of this process."""
    return {"pid": os.getpid(), "uid": os.geteuid(), "gid": os.getegid(), "groups": sorted(set(os.getgroups()))}


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
    """What the kernel keeps of the process that connected: pid, effective ids, supplementary groups (unix(7))."""
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
