"""Processes as /proc shows them (proc(5)): their parents, whether they run, which program each was made by."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def status_fields(thread: int) -> dict[bytes, bytes]:
    """What /proc/THREAD/status says, by key. Raises OSError."""
    with open(f"/proc/{thread}/status", "rb") as file:
        return by_key(file.read().split(b"\n"))


def field(thread: int, name: str) -> str:
    """One of these fields; nothing where the thread is gone or has no such field."""
    try:
        return os.fsdecode(status_fields(thread).get(name.encode(), b""))
    except OSError:
        return ""


def by_key(lines: Iterable[bytes]) -> dict[bytes, bytes]:
    """Lines of such a file, as fdinfo is one too: a key, a colon, a tab and what it has."""
    return {key: value for key, _, value in (line.partition(b":\t") for line in lines)}


def stat(pid: int) -> tuple[str, list[str]]:
    """A process's name, and the fields behind it: its state, its parent, and more. Raises OSError if there is none."""
    with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
        before, _, after = file.read().rpartition(") ")
    return before.partition(" (")[2], after.split()


def state(pid: int) -> str | None:
    """One letter; `None` if there is no such process."""
    try:
        return stat(pid)[1][0]
    except OSError:
        return None


def alive(pid: int) -> bool:
    """Whether the process runs (a zombie does not)."""
    return state(pid) not in (None, "Z")


def parent(pid: int) -> int:
    """The process's parent; 0 if there is no such process."""
    try:
        return int(stat(pid)[1][1])
    except OSError:
        return 0


def image(pid: int) -> str:
    """What an exec gives a process and its forks keep: where its stack begins (field 28), which the kernel draws.

    `0` where we may not see it (ptrace_may_access), or where addresses are not drawn (randomize_va_space).
    """
    try:
        return stat(pid)[1][25]
    except (OSError, IndexError):
        return "0"


def children() -> dict[int, list[int]]:
    """The children of every process that has some, zombies included."""
    found: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            above = parent(int(entry))
            if above:
                found.setdefault(above, []).append(int(entry))
    return found


def tree(root: int) -> list[int]:
    """A process and all that descend from it."""
    below = children()
    found, ahead = [], [root]
    while ahead:
        pid = ahead.pop()
        found.append(pid)
        ahead += below.get(pid, [])
    return found


def descendants(root: int) -> list[int]:
    """All that descend from a process and run."""
    return [pid for pid in tree(root)[1:] if alive(pid)]
