"""FUSE mounts of a world: directories that bindfs(1) shows elsewhere.

The server is root's, so it may do everything; who mounted it is by its real ids (libfuse, `fuse_mount_sys`). It always
asks for default_permissions, and is told to let the kernel keep nothing that it has said.
"""

from __future__ import annotations

import os
import select
import signal
import sys

from harness.inside.agent import mounts
from harness.inside.agent.errors import RefusalError
from harness.inside.agent.inheritance import close_all_but, reset_signals
from harness.inside.agent.outside import Outside
from harness.inside.agent.standing import by_the_ids_of
from harness.inside.libc import MS_MOVE, mount

PROGRAM, DEVICE = "bindfs", "/dev/fuse"
OPTIONS = "subtype=bindfs,attr_timeout=0,entry_timeout=0,negative_timeout=0,ac_attr_timeout=0"
EMPTY = "/.fuse"
"""A directory to mount on first, since libfuse 2 mounts on no directory that has something in it."""
FOLDERS = ("/usr/bin", "/usr/local/bin", "/bin")
PATIENCE = 10_000
"""Milliseconds in which the server must have mounted it."""


def available() -> bool:
    """Whether a place can have such mounts."""
    return sys.platform == "linux" and _program() is not None and _opens_device()


class FuseMounts:
    """The FUSE mounts of a world, each with the process that ends its server with the agent."""

    def __init__(self) -> None:
        self._held: list[int] = []
        self._mounted: list[tuple[str, tuple[int, int]]] = []

    def mount(self, source: str, path: str, ids: tuple[int, int], *, allow_other: bool) -> None:
        """Show a directory at a path, as a mount of this uid and gid. Raises RefusalError."""
        program = _program()
        if program is None or not _opens_device():
            lacking = f"install {PROGRAM}" if program is None else f"it may not open {DEVICE}"
            raise RefusalError(f"the FUSE mount {path} cannot be made in this place: {lacking}")
        before = frozenset(mounts.mounted())
        errors, said = os.pipe()
        end, held = os.pipe()
        os.mkdir(EMPTY)
        try:
            if os.fork() == 0:
                _keep(program, [Outside.name(source), Outside.name(EMPTY)], ids, allow_other, end, said)
            os.close(said)
            os.close(end)
            self._held.append(held)
            _wait(path, before, errors)
            mount(EMPTY, path, None, MS_MOVE)
            with by_the_ids_of(ids):
                os.stat(
                    path
                )  # until it is asked for, the owner of its root is root to the kernel (fuse_get_root_inode)
            self._mounted.append((path, ids))
        finally:
            os.close(errors)
            os.rmdir(EMPTY)

    def ids(self, path: str) -> tuple[int, int] | None:
        """Who mounted what a path leads through, if it leads through one of them."""
        return next((ids for at, ids in self._mounted if path.startswith(f"{at}/")), None)

    def end(self) -> None:
        """End the servers, whose mounts have been taken away."""
        self._mounted.clear()
        while self._held:
            os.close(self._held.pop())


def _wait(path: str, before: frozenset[int], errors: int) -> None:
    """Until it is mounted. Raises RefusalError if its server has ended instead."""
    table = Outside.open("/proc/self/mountinfo")
    try:
        poll = select.poll()
        poll.register(table, select.POLLPRI)
        poll.register(errors, select.POLLIN)
        said = b""
        while before.issuperset(mounts.mounted()):
            ready = dict(poll.poll(PATIENCE))
            if errors in ready:
                piece = os.read(errors, 4096)
                said += piece
                if not piece:
                    break
            elif not ready:
                said += b"it did not mount it in time"
                break
        else:
            return
    finally:
        os.close(table)
    why = said.decode(errors="replace").strip().rpartition("\n")[2] or "no reason was given"
    raise RefusalError(f"the FUSE mount {path} cannot be made in this place: {PROGRAM} says: {why}")


def _keep(program: str, paths: list[str], ids: tuple[int, int], allow_other: bool, end: int, said: int) -> None:
    """In the forked process: have the server run until the agent has closed its end of a pipe."""
    try:
        reset_signals()
        Outside.enter()
        close_all_but(0, end, said)
        server = os.fork()
        if server == 0:
            os.close(end)
            nothing = os.open("/dev/null", os.O_RDWR)
            for descriptor, stream in ((nothing, 0), (nothing, 1), (said, 2)):
                os.dup2(descriptor, stream)
            os.umask(0)
            os.setgroups([])
            if sys.platform == "linux":
                os.setresgid(ids[1], 0, 0)
                os.setresuid(ids[0], 0, 0)
            allow = ["-o", f"{OPTIONS},allow_other"] if allow_other else ["--no-allow-other", "-o", OPTIONS]
            os.execv(program, [program, "-f", "--create-as-mounter", *allow, *paths])
        os.dup2(end, said)  # the server alone has the other one now
        os.read(end, 1)
        os.kill(server, signal.SIGKILL)
        os.waitpid(server, 0)
    except OSError as error:
        os.write(said, f"{error.strerror}\n".encode())
    finally:
        os._exit(0)


def _program() -> str | None:
    for folder in FOLDERS:
        try:
            os.close(Outside.open(f"{folder}/{PROGRAM}"))
        except OSError:
            continue
        return f"{folder}/{PROGRAM}"
    return None


def _opens_device() -> bool:
    try:
        os.close(Outside.open(DEVICE, os.O_RDWR))
    except OSError:
        return False
    return True
