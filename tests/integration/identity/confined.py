"""Start a server in namespaces of its own, run inside a place as root with the words pid|user|rootless COMMAND...

`pid`: alice's, in a pid namespace. `user`: a user namespace too, in which of all users and groups there are only
alice, as 0, and hers, as 0. `rootless`: a user namespace of the users from 100000 on, as engines without root make
them; the server is that namespace's own user 1500. The server ends with this process.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
from pathlib import Path

from harness.inside.libc import LIBC, called, prctl
from harness.inside.principal import become

assert sys.platform == "linux"

ALICE, STAFF, TEAM = 1500, 2000, 2001
CLONE_NEWUSER, CLONE_NEWPID = 0x1000_0000, 0x2000_0000
PR_SET_PDEATHSIG = 1
KINDS = {
    "pid": (CLONE_NEWPID, None, (ALICE, STAFF, [TEAM])),
    "user": (CLONE_NEWPID | CLONE_NEWUSER, (f"0 {ALICE} 1", f"0 {STAFF} 1"), (0, 0, [])),
    "rootless": (CLONE_NEWUSER, ("0 100000 65536", "0 100000 65536"), (ALICE, STAFF, [TEAM])),
}
"""The namespaces to make, the maps of users and groups, and whom the server runs as."""


def main() -> None:
    """Start it, and end as it ends."""
    kind, *command = sys.argv[1:]
    namespaces, maps, (uid, gid, groups) = KINDS[kind]
    here, there = socket.socketpair()
    middle = os.fork()
    if middle == 0:
        called(LIBC.unshare(namespaces))
        there.send(b"made")
        there.recv(8)
        become({"uid": uid, "gid": gid, "groups": groups})
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)  # a change of user would undo it
        first = os.fork()
        if first == 0:
            prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            os.execvp(command[0], command)
        os._exit(os.waitstatus_to_exitcode(os.waitpid(first, 0)[1]) & 0xFF)
    here.recv(8)
    if maps is not None:
        for file, text in zip(("uid_map", "gid_map"), maps, strict=True):
            Path(f"/proc/{middle}", file).write_text(text)
    here.send(b"mapped")
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(middle, 0)[1]))
