"""What a client learns of its server, run inside a place as root with `observatory` importable.

Prints one JSON line for each step: what the client sees, who it should be, and what it would think if it went by the
file's owner, or by who accepts. Every step waits for the one before.
"""

from __future__ import annotations

import json
import os
import socket
import sys
from typing import TYPE_CHECKING

from harness.inside.principal import become
from observatory.identity import peer_credentials

if TYPE_CHECKING:
    from collections.abc import Callable

assert sys.platform == "linux"

BOB, MALLORY = 1501, 1504


def main(path: str) -> None:
    """Take the steps with a socket at this path."""
    root = {"pid": os.getpid(), "uid": 0, "gid": 0}
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    os.chmod(path, 0o666)
    listener.listen(64)
    look(listener, "root listens", root)

    os.seteuid(BOB)
    look(listener, "root has become bob since", root)
    listener.listen(64)
    look(listener, "bob listens again on the same socket", {**root, "uid": BOB})
    os.seteuid(0)

    listener.listen(64)
    as_user(MALLORY, listener.getsockname)
    look(listener, "mallory has inherited the socket and does not listen", root)
    mallory = as_user(MALLORY, lambda: listener.listen(64))
    look(listener, "mallory has inherited the socket and listens", mallory)

    os.chown(path, 0, 0)
    look(listener, "the file is root's, the listener is not", mallory)


def look(listener: socket.socket, step: str, due: dict[str, int]) -> None:
    """Connect, and say whom the client sees at the other end."""
    path = listener.getsockname()
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(path)
        listener.accept()[0].close()
        acceptor = {"uid": os.geteuid()}
        seen = peer_credentials(client)
    assert seen is not None
    who = {"pid": seen.pid, "uid": seen.uid, "gid": seen.gid}
    owner = {"uid": os.stat(path).st_uid}
    print(json.dumps({"step": step, "seen": who, "due": due, "owner": owner, "acceptor": acceptor}), flush=True)


def as_user(uid: int, work: Callable[[], object]) -> dict[str, int]:
    """Let a process of that user do something, and end; who that process was."""
    pid = os.fork()
    if pid == 0:
        become({"uid": uid, "gid": uid, "groups": []})
        work()
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
    return {"pid": pid, "uid": uid, "gid": uid}
