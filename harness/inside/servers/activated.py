"""A service that is started by socket activation: it serves on the descriptor that it is given, and unlinks nothing.

See sd_listen_fds(3).
"""

from __future__ import annotations

import os
import selectors
import signal
import socket
import struct
import sys
from collections import Counter

assert sys.platform == "linux"

FIRST = 3
"""SD_LISTEN_FDS_START."""
SHARE = 200
"""Connections that one user may hold open."""
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\nhello\n"


def main() -> None:
    """Serve everyone without waiting for anyone."""
    if os.environ.get("LISTEN_PID") != str(os.getpid()) or os.environ.get("LISTEN_FDS") != "1":
        sys.exit("activated: there is no socket for this process in $LISTEN_FDS")
    told, telling = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.signal(signal.SIGTERM, lambda *_: None)
    signal.set_wakeup_fd(telling)  # a handler alone may be run after a wait that has just begun, which is too late
    listener = socket.socket(fileno=FIRST)
    listener.set_inheritable(False)
    listener.setblocking(False)
    selector = selectors.DefaultSelector()
    selector.register(listener, selectors.EVENT_READ)
    selector.register(told, selectors.EVENT_READ)
    held: Counter[int] = Counter()
    while True:
        for key, _ in selector.select():
            if key.fileobj == told:
                return
            if key.fileobj is listener:
                accept(selector, listener, held)
            else:
                answer(selector, key, held)


def accept(selector: selectors.BaseSelector, listener: socket.socket, held: Counter[int]) -> None:
    """Take one client, unless its user has its share already."""
    client, _ = listener.accept()
    _, uid, _ = struct.unpack("iII", client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    if held[uid] >= SHARE:
        client.close()
        return
    held[uid] += 1
    client.setblocking(False)
    selector.register(client, selectors.EVENT_READ, (uid, b""))


def answer(selector: selectors.BaseSelector, key: selectors.SelectorKey, held: Counter[int]) -> None:
    """Read what has come; answer a whole request."""
    client = key.fileobj
    assert isinstance(client, socket.socket)
    uid, said = key.data
    try:
        chunk = client.recv(65536)
        said += chunk
        if chunk and b"\r\n\r\n" not in said:
            selector.modify(client, selectors.EVENT_READ, (uid, said))
            return
        if chunk:
            client.sendall(ANSWER)
    except OSError:
        pass
    selector.unregister(client)
    client.close()
    held[uid] -= 1


if __name__ == "__main__":
    main()
