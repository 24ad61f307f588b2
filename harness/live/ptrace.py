"""Who may follow the links of /proc/PID that lead to a thing: `root`, `cwd`, `exe` and the open files in `fd`.

It takes PTRACE_MODE_READ_FSCREDS (ptrace(2); __ptrace_may_access in kernel/ptrace.c, cap_ptrace_access_check in
security/commoncap.c): the process's three uids and three gids are one's own, it may be dumped, and it has no capability
that one lacks; or CAP_SYS_PTRACE in its user namespace.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from harness.inside.procfs import status_fields

if TYPE_CHECKING:
    from harness.world import Principal

CAP_SYS_PTRACE: Final = 1 << 19
"""Its bit, by its number in linux/capability.h."""


@dataclass(frozen=True, slots=True)
class Traced:
    """What the check asks of a process: real, effective and saved ids, permitted capabilities, and whether it may be
    dumped, which a process may not that changed its ids or whose program may not be read. `namespace` is its user
    namespace, None where that may not be known.
    """

    pid: int
    uids: frozenset[int]
    gids: frozenset[int]
    permitted: int
    dumpable: bool
    namespace: str | None


def traced(pid: int) -> Traced:
    """Read a process. Raises OSError."""
    fields = status_fields(pid)
    uids, gids = (frozenset(map(int, fields[key].split()[:3])) for key in (b"Uid", b"Gid"))
    # What belongs to a process in /proc belongs to root instead if it may not be dumped (task_dump_owner, fs/proc).
    dumpable = os.lstat(f"/proc/{pid}/root").st_uid == int(fields[b"Uid"].split()[1])
    try:
        namespace: str | None = os.readlink(f"/proc/{pid}/ns/user")
    except OSError:
        namespace = None
    return Traced(pid, uids, gids, int(fields[b"CapPrm"], 16), dumpable, namespace)


def why_not(process: Traced, who: Principal, capabilities: int, *, alike: bool) -> str | None:
    """Why somebody may not follow the links of a process, as half a sentence; None if they may.

    `capabilities` are the effective ones as bits; `alike` says whether both are in one user namespace.
    """
    if capabilities & CAP_SYS_PTRACE:
        return None
    if process.uids != {who.uid}:
        return f"its uid is not {who.uid}"
    if process.gids != {who.gid}:
        return f"its gid is not {who.gid}"
    if not process.dumpable:
        return "it may not be dumped, since it has changed its ids or runs a program that may not be read"
    if process.permitted & ~capabilities or not alike:
        return "it has capabilities that the other lacks" if alike else "it is in another user namespace"
    return None
