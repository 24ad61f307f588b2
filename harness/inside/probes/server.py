"""Who serves at an endpoint: the processes of a start that hold its socket, whichever process was started."""

from __future__ import annotations

import contextlib
import json
import os
from typing import TYPE_CHECKING

from harness.inside import serving_sockets
from harness.inside.principal import act_as
from harness.inside.probes.descriptors import doors, program
from harness.inside.probes.endpoint import TCP
from harness.inside.procfs import descendants, parent

if TYPE_CHECKING:
    from typing import Literal

    from harness.inside.messages import EncodedPrincipal
    from harness.inside.reports import ServerReport


def inode_at(endpoint: str) -> tuple[str | None, Literal["stream", "dgram", "seqpacket"] | None]:
    """The socket's number as /proc/PID/fd has it, and its type; `None` where the kernel tells of none."""
    if endpoint.startswith(TCP):
        port = endpoint.rpartition(":")[2]
        return next(((inode, None) for inode, at in doors().items() if at == f"tcp:localhost:{port}"), (None, None))
    found = serving_sockets.at(endpoint)
    if found is not None:
        return str(found.inode), found.type
    return next(((inode, None) for inode, at in doors().items() if at == endpoint), (None, None))


def sockets_of(pid: int) -> set[str]:
    """The numbers of a process's sockets. Raises PermissionError for somebody else's process."""
    found = set()
    with contextlib.suppress(FileNotFoundError):
        for number in os.listdir(f"/proc/{pid}/fd"):
            with contextlib.suppress(FileNotFoundError):  # one that is closed meanwhile ends nothing
                what = os.readlink(f"/proc/{pid}/fd/{number}")
                if what.startswith("socket:["):
                    found.add(what[8:-1])
    return found


def main(endpoint: str, supervisor: int, owner: EncodedPrincipal) -> None:
    """Print a `ServerReport`; looked at as root, and as `owner` where root may not (proc(5): CAP_SYS_PTRACE)."""
    inode, kind = inode_at(endpoint)
    listening = doors()
    pids = descendants(supervisor)
    held: dict[int, set[str]] = {}
    unseen = pids
    for who in (None, owner):
        act_as(who)
        for pid in unseen:
            try:
                held[pid] = sockets_of(pid)
            except PermissionError:
                continue
        unseen = [pid for pid in unseen if pid not in held]
    act_as(None)
    holders = [pid for pid in pids if inode is not None and inode in held.get(pid, ())]
    top = [pid for pid in holders if parent(pid) not in holders]
    report: ServerReport = {
        "holders": [*top, *(pid for pid in holders if pid not in top)],
        "others": [pid for pid in pids if pid not in holders],
        "type": kind,
        "doors": sorted({listening[number] for numbers in held.values() for number in numbers if number in listening}),
        "unseen": unseen,
        "program": program((top or pids or [0])[0]),
    }
    print(json.dumps(report))
