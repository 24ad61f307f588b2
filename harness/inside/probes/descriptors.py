"""What a server holds open: its descriptors, its processes, the doors that it listens on.

Runs as root or as the server's own user: /proc/PID/fd opens to nobody else, and to root with CAP_SYS_PTRACE only
(proc(5)).
"""

from __future__ import annotations

import json
import os
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any

CLOSE_ON_EXEC = 0o2000000
LISTENING = "0A"
"""TCP_LISTEN, as /proc/net/tcp writes it."""
ACCEPTS = 0x10000
"""__SO_ACCEPTCON, as /proc/net/unix writes it."""


def tree(root: int) -> list[int]:
    """A process and all that descend from it."""
    parents: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/stat", encoding="ascii", errors="replace") as stat:
                    parent = int(stat.read().rpartition(")")[2].split()[1])
            except OSError:
                continue
            parents.setdefault(parent, []).append(int(entry))
    found, ahead = [], [root]
    while ahead:
        pid = ahead.pop()
        found.append(pid)
        ahead += parents.get(pid, [])
    return found


def descriptors(pid: int) -> list[dict[str, Any]]:
    """`number, what, close_on_exec` of each descriptor. Raises PermissionError for somebody else's process."""
    found = []
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
    """Every listening socket of this network name space: its inode, and the endpoint where it is reached."""
    found = {}
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


def main(pid: int) -> None:
    """Print `processes`, each with `pid, program, descriptors` (`null` where they are not ours to see), and `doors`."""
    processes = []
    listening = doors()
    open_doors = set()
    for each in tree(pid):
        try:
            held = descriptors(each)
        except FileNotFoundError:
            continue
        except PermissionError:
            held = None
        for descriptor in held or []:
            inode = re.fullmatch(r"socket:\[(\d+)\]", descriptor["what"])
            if inode and inode.group(1) in listening:
                descriptor["listens"] = listening[inode.group(1)]
                open_doors.add(listening[inode.group(1)])
        processes.append({"pid": each, "program": program(each), "descriptors": held})
    print(json.dumps({"processes": processes, "doors": sorted(open_doors)}))
