"""What the target's kernel tells of a process, by what Linux's tells: its /proc, which is kept where nobody looks.

XNU 11417.101: bsd/kern/proc_info.c (`proc_pidinfo`, `proc_pidbsdinfo`), bsd/kern/kern_prot.c (`proc_calc_audit_token`).
FreeBSD: sys/kern/kern_proc.c (`sysctl_kern_proc`, `fill_kinfo_proc_only`).
"""

import os
import struct
import sys
from pathlib import Path

PROC = f"{sys.prefix}/proc"
TICKS = 100


def _read(name):
    return Path(PROC, name).read_bytes()


def _process(pid):
    """Name, parent, session, effective uid and gid, and the time of its start; `None` if there is none, or a zombie."""
    try:
        before, _, rest = _read(f"{pid}/stat").rpartition(b") ")
        status = _read(f"{pid}/status")
        boot = int(_read("stat").split(b"btime ")[1].split()[0])
    except OSError:
        return None
    fields = rest.split()
    if fields[0] in (b"Z", b"X"):
        return None
    uid, gid = (int(status.split(b"\n" + name + b":")[1].split()[1]) for name in (b"Uid", b"Gid"))
    seconds, ticks = divmod(int(fields[19]), TICKS)
    started = boot + seconds, ticks * 1_000_000 // TICKS
    return before.partition(b" (")[2], int(fields[1]), int(fields[3]), uid, gid, started


def token(pid):
    """The audit token of a process; its version is that of its start."""
    found = _process(pid)
    if found is None:
        return None
    _, _, _, uid, gid, started = found
    return struct.pack("8I", uid, uid, gid, uid, gid, pid, 0, (started[0] * 100 + started[1] // 10_000) & 0x7FFFFFFF)


def proc_pidinfo(pid, _flavour, _argument, found, size):
    process = _process(pid)
    if process is None or os.geteuid() not in (0, process[3]):
        return 0
    comm, parent, _, uid, gid, started = process
    found.raw = struct.pack("12I16s32x24x2Q", 0, 0, 0, pid, parent, uid, gid, uid, gid, uid, gid, 0, comm, *started)
    return size


def proc_pidpath(pid, found, _size):
    try:
        path = os.fsencode(os.readlink(f"{PROC}/{pid}/exe"))
    except OSError:
        return 0
    found[: len(path)] = path
    return len(path)


def sysctl(name, _length, found, size, _new, _new_size):
    kind, pid = name[2], name[3]
    if kind == 12:
        path = bytearray(len(found))
        length = proc_pidpath(pid, path, len(path))
        data = bytes(path[:length]) + b"\0" if length else b""
    else:
        process = _process(pid)
        data = b""
        if process is not None:
            comm, parent, session, uid, _, started = process
            room = bytearray(1088)
            struct.pack_into("i", room, 0, 1088)
            struct.pack_into("2i", room, 72, pid, parent)
            struct.pack_into("i", room, 88, session)
            struct.pack_into("I", room, 168, uid)
            struct.pack_into("2q", room, 336, *started)
            struct.pack_into("20s", room, 447, comm)
            data = bytes(room)
    if not data:
        return -1
    found[: len(data)] = data
    size._obj.value = len(data)
    return 0
