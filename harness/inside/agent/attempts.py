"""What a principal's child does: it tries what it is told, and says how that went."""

from __future__ import annotations

import ctypes
import errno
import json
import os
import socket
import stat
import sys
from typing import TYPE_CHECKING, NamedTuple

from harness.inside import errnos
from harness.inside.agent.refusals import refusing_component
from harness.inside.agent.sockets import SUN_PATH, TYPES, address_bytes, sockaddr
from harness.inside.libc import LIBC

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, NoReturn

    Outcome = tuple[str, str | None, str | None]
    """`ok` or an errno's name, the component that refused, and what was told: of a connection the peer's address (in
    hexadecimal), of stat what is there."""


class Trial(NamedTuple):
    """An attempt as its principal makes it: `to` is where to, `kind` the socket's type."""

    operation: str
    path: str
    to: str | None
    mode: int | None
    kind: str
    owner: int | None
    group: int | None


WITHOUT_WAITING = os.O_NONBLOCK | os.O_CLOEXEC
"""Nobody waits for the other end of a FIFO."""
KEPT_OPEN = sys.platform == "darwin"
"""Whether connections stay open until another line says that the listeners have looked: a pid is told of open ones."""


def serve(channel: socket.socket, cwd: str, root: str | None, protected_symlinks: bool) -> NoReturn:
    """The life of the child: for each line of attempts a line of outcomes."""
    connections: list[socket.socket] = []
    with channel.makefile("rwb") as stream:
        for line in stream:
            said = [
                _attempt(trial, cwd, root, protected_symlinks, connections)
                for trial in map(Trial._make, json.loads(line))
            ]
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
    try:
        told = _connect(trial, connections) if trial.operation == "connect" else CALLS[trial.operation](trial)
    except OSError as error:
        outcome = errnos.name(error)
        at = refusing_component(trial.operation, trial.path, trial.to, outcome, cwd, root, protected_symlinks)
        return outcome, at, None
    return "ok", None, told


def _connect(trial: Trial, connections: list[socket.socket]) -> str:
    """Connect. Returns the peer's address."""
    client = socket.socket(socket.AF_UNIX, TYPES[trial.kind])
    try:
        client.setblocking(False)  # a listener whose queue is full says EAGAIN at once
        _at_address(client, client.connect, LIBC.connect, trial.path)
        return address_bytes(client.getpeername()).hex()
    finally:
        if KEPT_OPEN:
            connections.append(client)
        else:
            client.close()


def _bind(trial: Trial) -> None:
    with socket.socket(socket.AF_UNIX, TYPES[trial.kind]) as server:
        _at_address(server, server.bind, LIBC.bind, trial.path)


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


def _stat(trial: Trial) -> str:
    """What is there: kind and mode as ls(1) writes them, uid and gid."""
    status = os.stat(trial.path)
    return f"{stat.filemode(status.st_mode)} {status.st_uid} {status.st_gid}"


def _read(trial: Trial) -> None:
    descriptor = os.open(trial.path, os.O_RDONLY | WITHOUT_WAITING)
    try:
        os.read(descriptor, 1)
    finally:
        os.close(descriptor)


def _list(trial: Trial) -> None:
    os.listdir(trial.path)


def _open(trial: Trial, flags: int, mode: int = 0) -> None:
    os.close(os.open(trial.path, os.O_WRONLY | WITHOUT_WAITING | flags, mode))


def _asked(trial: Trial, usual: int) -> int:
    return usual if trial.mode is None else trial.mode


def _execute(trial: Trial) -> None:
    """Run it. That the kernel finds no program in what may be run is told after all permissions (execve(2)).

    What is empty, as the files of a world are, or can't be looked at, is run by this process itself, which comes back.
    """
    try:
        if _is_empty(trial.path):
            os.execve(trial.path, [trial.path], {})
        os.waitpid(os.posix_spawn(trial.path, [trial.path], {}), 0)
    except OSError as error:
        if error.errno != errno.ENOEXEC:
            raise


def _is_empty(path: str) -> bool:
    try:
        status = os.stat(path)
    except OSError:
        return True
    return status.st_size == 0 or not stat.S_ISREG(status.st_mode)


def _chown(trial: Trial) -> None:
    os.chown(trial.path, *(-1 if number is None else number for number in (trial.owner, trial.group)))


CALLS: dict[str, Callable[[Trial], str | None]] = {
    "bind": _bind,
    "unlink": lambda trial: os.unlink(trial.path),
    "rename": lambda trial: os.rename(trial.path, trial.to or ""),
    "stat": _stat,
    "readlink": lambda trial: os.readlink(trial.path),
    "chmod": lambda trial: os.chmod(trial.path, trial.mode or 0),
    "chown": _chown,
    "read": _read,
    "write": lambda trial: _open(trial, 0),
    "execute": _execute,
    "list": _list,
    "create": lambda trial: _open(trial, os.O_CREAT, _asked(trial, 0o666)),
    "mkdir": lambda trial: os.mkdir(trial.path, _asked(trial, 0o777)),
    "truncate": lambda trial: os.truncate(trial.path, 0),
}
"""How each operation but connect is tried: each raises OSError where the kernel refuses."""
