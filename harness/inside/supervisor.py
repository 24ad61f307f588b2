"""Starts a server and stays above it until all that it started has ended. Runs as root.

Whatever the server leaves in the background becomes this process's child (prctl(2), PR_SET_CHILD_SUBREAPER), so that
all of a start is one tree. The first line on standard output is a `Supervised`; what follows there and on standard
error is the server's own. Each line on standard input is a pid and the number of a signal for it. The exit status is
that of the command.
"""

from __future__ import annotations

import contextlib
import grp
import json
import os
import select
import signal
import socket
from typing import TYPE_CHECKING

from harness.inside import procfs
from harness.inside.probes import launch

if TYPE_CHECKING:
    from harness.inside.reports import ActivatedSocket, Launch, Supervised

BACKLOG = 128


def main(order: Launch) -> None:
    """Start it, and end when nothing of it is left."""
    launch.adopt_orphans()
    woken, wake = os.pipe()
    for descriptor in (woken, wake):
        os.set_blocking(descriptor, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake)
    for stream in (1, 2):
        os.fchmod(stream, 0o666)  # a server that is another user by now may open /dev/stderr again
    listener = None if order["socket"] is None else activated(order["socket"])
    ready = None if order["notify"] is None else _notified(order["notify"])
    handed = None if listener is None else listener.fileno()
    pid = launch.start(order, _announce, output=(1, 2), passed=handed)
    status = _watch(pid, woken, ready, order["notify"])
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        if number != signal.SIGKILL:
            signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
    os._exit(os.WEXITSTATUS(status))


def _announce() -> None:
    """In the server's process, before it is the server, so that nothing of what it says comes earlier."""
    first: Supervised = {"pid": os.getpid()}
    os.write(1, json.dumps(first).encode() + b"\n")


def activated(order: ActivatedSocket) -> socket.socket:
    """The socket that is handed over, as systemd.socket(5) would make it: never open wider than it is to be."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM if order["type"] == "dgram" else socket.SOCK_STREAM)
    os.fchmod(listener.fileno(), 0)
    listener.bind(order["path"])
    gid = -1 if order["group"] is None else grp.getgrnam(order["group"]).gr_gid
    os.chown(order["path"], order["uid"], gid if gid != -1 else order["gid"])
    os.chmod(order["path"], order["mode"])
    if order["type"] != "dgram":
        listener.listen(BACKLOG)
    return listener


def _notified(path: str) -> socket.socket:
    """Where sd_notify(3) is received."""
    notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    notify.bind(path)
    os.chmod(path, 0o666)
    notify.setblocking(False)
    return notify


def _watch(pid: int, woken: int, ready: socket.socket | None, notify: str | None) -> int:
    """Pass signals on and wait for children until there are none: the status of the one that was started."""
    status = 0
    lines = b""
    inputs: list[int | socket.socket] = [0, woken, *([] if ready is None else [ready])]
    while True:
        with contextlib.suppress(BlockingIOError):
            while os.read(woken, 512):
                pass
        try:
            while True:
                ended, how = os.waitpid(-1, os.WNOHANG)
                if ended == pid:
                    status = how
                if not ended:
                    break
        except ChildProcessError:
            return status
        come = select.select(inputs, [], [])[0]
        if 0 in come:
            piece = os.read(0, 4096)
            if not piece:
                inputs.remove(0)
            *whole, lines = (lines + piece).split(b"\n")
            for line in whole:
                _signal(*map(int, line.split()))
        if ready is not None and ready in come and b"READY=1" in ready.recv(4096).split(b"\n"):
            os.rename(notify or "", f"{notify}.ready")


def _signal(pid: int, number: int) -> None:
    """Send a signal to a process of ours."""
    if pid in procfs.tree(os.getpid())[1:]:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
