"""What a principal's child does: it tries what it is told, and says how that went."""

from __future__ import annotations

import ctypes
import json
import os
import socket
import sys
from typing import TYPE_CHECKING

from harness.inside import errnos
from harness.inside.agent.refusals import refusing_component
from harness.inside.agent.sockets import SUN_PATH, TYPES, address_bytes, sockaddr
from harness.inside.libc import LIBC

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, NoReturn

    Trial = tuple[str, str, str | None, int | None, str]
    """An attempt as its principal makes it: the operation, the path, where to, the mode, the socket's type."""
    Outcome = tuple[str, str | None, str | None]
    """`ok` or an errno's name, the component that refused, and the peer's address (in hexadecimal) of a connection."""

KEPT_OPEN = sys.platform == "darwin"
"""Whether connections stay open until another line says that the listeners have looked: a pid is told of open ones."""


def serve(channel: socket.socket, cwd: str, root: str | None, protected_symlinks: bool) -> NoReturn:
    """The life of the child: for each line of attempts a line of outcomes."""
    connections: list[socket.socket] = []
    with channel.makefile("rwb") as stream:
        for line in stream:
            said = [_attempt(trial, cwd, root, protected_symlinks, connections) for trial in json.loads(line)]
            stream.write(json.dumps(said).encode() + b"\n")
            stream.flush()
            if KEPT_OPEN:
                stream.readline()
                while connections:
                    connections.pop().close()
    os._exit(0)


def _attempt(
    trial: Trial, cwd: str, root: str | None, protected_symlinks: bool, connections: list[socket.socket]
) -> Outcome:
    operation, path, to, mode, kind = trial
    try:
        peer = _try(operation, path, to, mode, kind, connections)
    except OSError as error:
        outcome = errnos.name(error)
        return outcome, refusing_component(operation, path, to, outcome, cwd, root, protected_symlinks), None
    return "ok", None, None if peer is None else peer.hex()


def _try(
    operation: str, path: str, to: str | None, mode: int | None, kind: str, connections: list[socket.socket]
) -> bytes | None:
    """Do it. Raises OSError where the kernel refuses; returns the peer's address of a connection."""
    if operation == "connect":
        return _connect(kind, path, connections)
    if operation == "bind":
        _bind(kind, path)
    elif operation == "unlink":
        os.unlink(path)
    elif operation == "rename":
        os.rename(path, to or "")
    elif operation == "stat":
        os.stat(path)
    elif operation == "readlink":
        os.readlink(path)
    elif operation == "chmod":
        os.chmod(path, mode or 0)
    else:
        raise ValueError(operation)
    return None


def _connect(kind: str, path: str, connections: list[socket.socket]) -> bytes | None:
    client = socket.socket(socket.AF_UNIX, TYPES[kind])
    try:
        client.setblocking(False)  # a listener whose queue is full says EAGAIN at once
        _at_address(client, client.connect, LIBC.connect, path)
        return address_bytes(client.getpeername())
    finally:
        if KEPT_OPEN:
            connections.append(client)
        else:
            client.close()


def _bind(kind: str, path: str) -> None:
    with socket.socket(socket.AF_UNIX, TYPES[kind]) as server:
        _at_address(server, server.bind, LIBC.bind, path)


def _at_address(held: socket.socket, call: Callable[[str], None], raw: Any, path: str) -> None:
    if path.startswith("@"):
        path = "\0" + path[1:]
    name = os.fsencode(path)
    if len(name) < SUN_PATH:
        call(path)
        return
    # Python refuses an address that does not fit without asking; here the kernel is to answer.
    address = sockaddr(name)
    if raw(held.fileno(), address, len(address)) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
