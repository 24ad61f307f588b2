"""A service that is started by socket activation: serves on the descriptor that it is given (sd_listen_fds(3)), and unlinks nothing."""

from __future__ import annotations

import os
import selectors
import signal
import socket
import sys

FIRST = 3
"""SD_LISTEN_FDS_START."""
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\nhello\n"


def main() -> None:
    """Serve everyone without waiting for anyone."""
    if os.environ.get("LISTEN_PID") != str(os.getpid()) or os.environ.get("LISTEN_FDS") != "1":
        sys.exit("activated: there is no socket for this process in $LISTEN_FDS")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    listener = socket.socket(fileno=FIRST)
    listener.set_inheritable(False)
    listener.setblocking(False)
    selector = selectors.DefaultSelector()
    selector.register(listener, selectors.EVENT_READ)
    while True:
        for key, _ in selector.select():
            if key.fileobj is listener:
                accept(selector, listener)
            else:
                answer(selector, key)


def accept(selector: selectors.BaseSelector, listener: socket.socket) -> None:
    """Take one client; without a free descriptor it stays in the queue."""
    try:
        client, _ = listener.accept()
    except OSError:
        return
    client.setblocking(False)
    selector.register(client, selectors.EVENT_READ, b"")


def answer(selector: selectors.BaseSelector, key: selectors.SelectorKey) -> None:
    """Read what has come; answer a whole request."""
    client = key.fileobj
    assert isinstance(client, socket.socket)
    try:
        chunk = client.recv(65536)
        said = key.data + chunk
        if chunk and b"\r\n\r\n" not in said:
            selector.modify(client, selectors.EVENT_READ, said)
            return
        if chunk:
            client.sendall(ANSWER)
    except OSError:
        pass
    selector.unregister(client)
    client.close()


if __name__ == "__main__":
    main()
