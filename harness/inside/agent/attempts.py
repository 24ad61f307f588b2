"""What a principal's child does: it tries what it is told, and says how that went."""

from __future__ import annotations

import ctypes
import json
import os
import socket
import struct
from typing import TYPE_CHECKING, NamedTuple

from harness.inside import errnos
from harness.inside.agent.refusals import refusing_component
from harness.inside.agent.sockets import SUN_PATH, TYPES, address_bytes
from harness.inside.libc import LIBC

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, NoReturn


class ResolvedAttempt(NamedTuple):
    """An attempt as its principal makes it. `type` is the socket's."""

    operation: str
    path: str
    to: str | None
    mode: int | None
    type: str


class Outcome(NamedTuple):
    """`ok` or an errno's name, the component that refused, and the peer's address (in hexadecimal) of a connection."""

    outcome: str
    at: str | None
    peer: str | None


def serve(channel: socket.socket, cwd: str, protected_symlinks: bool) -> NoReturn:
    """The life of the child: for each line of attempts a line of outcomes."""
    with channel.makefile("rwb") as stream:
        for line in stream:
            said = [_attempt(ResolvedAttempt._make(row), cwd, protected_symlinks) for row in json.loads(line)]
            stream.write(json.dumps(said).encode() + b"\n")
            stream.flush()
    os._exit(0)


def _attempt(attempt: ResolvedAttempt, cwd: str, protected_symlinks: bool) -> Outcome:
    try:
        peer = _try(attempt)
    except OSError as error:
        outcome = errnos.name(error)
        return Outcome(outcome, refusing_component(attempt, outcome, cwd, protected_symlinks), None)
    return Outcome("ok", None, None if peer is None else peer.hex())


def _try(attempt: ResolvedAttempt) -> bytes | None:
    """Do it. Raises OSError where the kernel refuses; returns the peer's address of a connection."""
    operation, path, to, mode, kind = attempt
    if operation == "connect":
        return _connect(kind, path)
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


def _connect(kind: str, path: str) -> bytes | None:
    with socket.socket(socket.AF_UNIX, TYPES[kind]) as client:
        client.setblocking(False)  # a listener whose queue is full says EAGAIN at once
        _at_address(client, client.connect, LIBC.connect, path)
        return address_bytes(client.getpeername())


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
    address = struct.pack("=H", socket.AF_UNIX) + name
    if raw(held.fileno(), address, len(address)) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
