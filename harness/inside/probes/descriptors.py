"""What a server holds open: its descriptors, its processes, the doors that it listens on.

Runs as root or as the server's own user: /proc/PID/fd opens to nobody else, and to root with CAP_SYS_PTRACE only
(proc(5)).
"""

from __future__ import annotations

import contextlib
import json
import os
import re
from typing import TYPE_CHECKING

from harness.inside import serving_sockets
from harness.inside.procfs import descendants, image, parent

if TYPE_CHECKING:
    from harness.inside.reports import DescriptorsReport, HeldProcess, ListeningDescriptor

CLOSE_ON_EXEC = 0o2000000
LISTENING = "0A"
"""TCP_LISTEN, as /proc/net/tcp writes it."""
ACCEPTS = 0x10000
"""__SO_ACCEPTCON, as /proc/net/unix writes it."""


def descriptors(pid: int) -> list[ListeningDescriptor]:
    """Each descriptor, by its number. Raises PermissionError for somebody else's process."""
    found: list[ListeningDescriptor] = []
    for number in os.listdir(f"/proc/{pid}/fd"):
        try:
            what = os.readlink(f"/proc/{pid}/fd/{number}")
            with open(f"/proc/{pid}/fdinfo/{number}", encoding="ascii") as info:
                flags = int(next(line for line in info if line.startswith("flags:")).split()[1], 8)
        except FileNotFoundError:
            continue
        found.append({"number": int(number), "what": what, "close_on_exec": bool(flags & CLOSE_ON_EXEC)})
    return sorted(found, key=lambda each: each["number"])


def doors() -> dict[str, str]:
    """Every socket of this network name space that takes clients: its inode, and the endpoint where it is reached."""
    found = {}
    with contextlib.suppress(OSError):
        found.update({str(each.inode): each.name for each in serving_sockets.serving() if each.type == "dgram"})
    with open("/proc/net/unix", encoding="utf-8", errors="replace") as table:
        for line in list(table)[1:]:
            fields = line.split(None, 7)
            if int(fields[3], 16) & ACCEPTS:
                found[fields[6]] = fields[7].strip() if len(fields) > 7 else "(no name)"
    for protocol in ("tcp", "tcp6"):
        try:
            with open(f"/proc/net/{protocol}", encoding="ascii") as table:
                lines = list(table)[1:]
        except FileNotFoundError:
            continue
        for line in lines:
            fields = line.split()
            if fields[3] == LISTENING:
                found[fields[9]] = f"tcp:localhost:{int(fields[1].rpartition(':')[2], 16)}"
    return found


def program(pid: int) -> str:
    """The program that a process runs."""
    try:
        return os.readlink(f"/proc/{pid}/exe")
    except OSError:
        return "?"


def main(supervisor: int) -> None:
    """Print a `DescriptorsReport` of all processes of a start."""
    processes: list[HeldProcess] = []
    listening = doors()
    open_doors = set()
    for each in descendants(supervisor):
        try:
            held: list[ListeningDescriptor] | None = descriptors(each)
        except FileNotFoundError:
            continue
        except PermissionError:
            held = None
        for descriptor in held or []:
            inode = re.fullmatch(r"socket:\[(\d+)\]", descriptor["what"])
            if inode and inode.group(1) in listening:
                descriptor["listens"] = listening[inode.group(1)]
                open_doors.add(listening[inode.group(1)])
        above = parent(each)
        started = above != supervisor and image(each) != image(above) and "0" not in (image(each), image(above))
        processes.append({"pid": each, "program": program(each), "started": started, "descriptors": held})
    report: DescriptorsReport = {"processes": processes, "doors": sorted(open_doors)}
    print(json.dumps(report))
