"""What an attempt misses where it stands and would find elsewhere: in another mount or network namespace, or root."""

from __future__ import annotations

import os
import posixpath
import time
from typing import TYPE_CHECKING, Final

from harness.inside.sock_diag import TCP_LISTEN
from harness.live.limits import in_child
from harness.live.listener import Holder, holders
from harness.live.sockets import INODE_BITS, SECONDS, everywhere
from harness.oracle import quoted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.inside.sock_diag import UnixSocket
    from harness.live.actor import Actor
    from harness.live.scene import Scene
    from harness.oracle import Decision

SHOWN: Final = 2
"""Servers that are named."""


def elsewhere(actor: Actor, scene: Scene, decision: Decision) -> Iterator[str]:
    """Sentences on where the thing is instead."""
    path = scene.attempt.path
    if path.startswith("@"):
        if decision.outcome == "ECONNREFUSED":
            yield from _held_elsewhere(path)
        return
    if actor.root != "/":
        yield from _outside(actor, scene, decision)
    if scene.attempt.operation == "connect" and decision.outcome in {"ENOENT", "ECONNREFUSED"}:
        yield from _servers(posixpath.join(scene.attempt.cwd or "/", path), decision)


def _held_elsewhere(name: str) -> Iterator[str]:
    wanted = os.fsencode(name[1:])
    for one in everywhere(time.monotonic() + SECONDS):
        if one.abstract == wanted:
            who = _words(_first(one))
            yield (
                f"the name {name} is held in another network namespace, by {who}: abstract names do not leave the one "
                "in which they were made, so go in there (nsenter --target PID --net), or let both use a path"
            )
            return


def _outside(actor: Actor, scene: Scene, decision: Decision) -> Iterator[str]:
    """What is there for who has our root directory and mounts, if it is not what the process sees."""
    inside = scene.components.get(decision.at)
    try:
        found = in_child(lambda: os.stat(decision.at), 1.0)
    except OSError:
        return
    if inside is not None and os.path.samestat(inside.status, found):
        return
    covering = max((point for point in scene.titles if _within(decision.at, point)), key=len, default=None)
    what = "a root directory of its own" if covering is None else f"a mount of its own over {covering}"
    pid = "" if actor.process is None else f"process {actor.process.pid} ({actor.process.name})"
    yield f"{pid} has {what}: outside of it, {decision.at} {'exists' if inside is None else 'is another one'}"


def _servers(path: str, decision: Decision) -> Iterator[str]:
    """Servers that listen on a socket that they call by this name, or where one is dead, by the same last name."""
    names = {os.fsencode(name) for name in (path, decision.at)}
    shown = 0
    for one in everywhere(time.monotonic() + SECONDS):
        name = (one.name or b"").rstrip(b"\0")
        if one.state != TCP_LISTEN or name not in names:
            continue
        yield _where(one, os.fsdecode(name), path)
        shown += 1
        if shown == SHOWN:
            return


def _where(one: UnixSocket, name: str, path: str) -> str:
    """Where the socket of a server is to be found from here, if it still has a name."""
    holder = _first(one)
    called = f"{_words(holder)} listens on a socket that it calls {quoted(name)}"
    if holder is None:
        return f"{called}, but it is not the file at {path}"
    own = f"/proc/{holder.pid}/root"
    there = posixpath.join(own if name.startswith("/") else f"/proc/{holder.pid}/cwd", name.lstrip("/"))
    try:
        inode = in_child(lambda: os.stat(there).st_ino, 1.0)
        ours = os.path.samestat(os.stat(f"{own}/."), os.stat("/")) and os.readlink(
            f"/proc/{holder.pid}/ns/mnt"
        ) == os.readlink("/proc/self/ns/mnt")
    except OSError:
        inode, ours = -1, False
    if one.file is None or inode & INODE_BITS != one.file[1]:
        return f"{called}, but no file of that name is its socket any more: it was removed or replaced, so restart it"
    if ours:
        return f"{called}: connect to that"
    return f"{called}, in mounts or a root directory of its own: from here it is {quoted(there)}"


def _first(one: UnixSocket) -> Holder | None:
    return next(iter(holders(one.inode)), None)


def _words(holder: Holder | None) -> str:
    return "a process that was not found" if holder is None else f"process {holder.pid} ({holder.name})"


def _within(path: str, point: str) -> bool:
    return path == point or path.startswith(point.rstrip("/") + "/")
