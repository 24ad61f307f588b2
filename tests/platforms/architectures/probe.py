"""Run under emulation: `probe.py REPOSITORY`. Says as JSON what `observatory.identity` makes of a real peer.

Standard library only, and no more of it than needed: emulation is slow.
"""

from __future__ import annotations

import importlib
import json
import os
import socket
import sys

sys.path.insert(0, sys.argv[1])

from observatory.identity import linux, process

assert sys.platform == "linux"

UID, GID, GROUPS = 3_000_000_000, 2_500_000_000, [2_400_000_000]


def connect(path: str) -> None:
    """In a child: become another user where that is possible, connect, and wait for the other side's end."""
    if os.geteuid() == 0:
        os.setgroups(GROUPS)
        os.setresgid(GID, GID, GID)
        os.setresuid(UID, UID, UID)
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(path)
        sock.recv(1)


def seen(accepted: socket.socket) -> list[object]:
    """The peer as the code sees it now."""
    found = linux.peer_credentials(accepted)
    assert found is not None
    return [found.pid, found.uid, found.gid, found.groups]


def seventeen(accepted: socket.socket) -> list[object]:
    """What the option number 17 gives here: the bytes, or the error."""
    try:
        return ["bytes", accepted.getsockopt(socket.SOL_SOCKET, 17, 12).hex()]
    except OSError as error:
        return ["error", error.errno]


with socket.socket(socket.AF_UNIX) as listener:
    listener.bind(f"\0observatory-probe-{os.getpid()}")
    listener.listen()
    child = os.fork()
    if child == 0:
        connect(listener.getsockname().decode())
        os._exit(0)
    accepted, _ = listener.accept()
    report: dict[str, object] = {
        "machine": os.uname().machine,
        "byteorder": sys.byteorder,
        "probe": os.getpid(),
        "child": child,
        "ids": [UID, GID, GROUPS] if os.geteuid() == 0 else [os.geteuid(), os.getegid(), os.getgroups()],
        "python": {name: getattr(socket, name) for name in linux.GENERIC if hasattr(socket, name)},
        "tables": {name: linux.number(name, os.uname().machine) for name in linux.GENERIC},
        "seen": seen(accepted),
        "seventeen": seventeen(accepted),
    }
    pidfd = linux.peer_pidfd(accepted)
    if isinstance(pidfd, int):
        details = process.describe(pidfd)
        report["described"] = None if details is None else [details.pid, details.parent]
        os.close(pidfd)
    else:
        report["described"] = pidfd.name
    own = {name: getattr(socket, name) for name in linux.GENERIC if hasattr(socket, name)}
    for name in own:
        delattr(socket, name)
    importlib.reload(linux)
    report["seen by the tables alone"] = seen(accepted)
    for name, value in own.items():
        setattr(socket, name, value)
    linux.SO_PEERCRED = 17
    report["seen by the hard-coded 17"] = seen(accepted)
    accepted.close()
    os.waitpid(child, 0)
print(json.dumps(report))
