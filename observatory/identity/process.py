"""What the process at the other end is, and whose child: read from /proc, and kept only if it is proved.

A pid names a process only as long as that process lives; afterwards the number may be another's. A pidfd
(`peer_pidfd`) is the process. So everything here is read by number first, and then the pidfd is asked whether
its process still lives: if so, the number was that process's all the while. If not, nothing is reported.

What is proved is *which process* was read. What it says of itself (`comm`, `command`) is its own choice.
Linux only; source: proc(5), pidfd_open(2).
"""

from __future__ import annotations

import errno
import os
import select
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from observatory.identity.linux import known_uid

if TYPE_CHECKING:
    from collections.abc import Callable

LONGEST_CHAIN = 8
"""So many ancestors are looked at, and no more."""


@dataclass(frozen=True, slots=True)
class ProcessDetails:
    """One living process, as this process's /proc shows it.

    `comm` is the kernel's name of it (15 bytes, set by the process), `command` the first word of its command
    line (also its own choice; `None` if it has none), `exe` the file that it executes (`None` where this
    process may not know: another user's), `uid` its effective uid (`None` if that has no number here),
    `parent` its parent's pid (`None` if that is outside this pid namespace), `session` its session id, `cgroup`
    its path in the unified or else systemd's hierarchy, `started` when it did, in clock ticks
    since boot (elsewhere than on Linux in microseconds since the epoch). Bytes
    that are not UTF-8 are shown as backslash escapes.
    """

    pid: int
    uid: int | None
    comm: str
    command: str | None
    exe: str | None
    parent: int | None
    session: int
    cgroup: str | None
    started: int


@dataclass(frozen=True, slots=True)
class Lineage:
    """A process and its ancestors, nearest first, all of which lived at the same moment."""

    process: ProcessDetails
    ancestors: tuple[ProcessDetails, ...]


class Closing(Protocol):
    """What can be closed."""

    def close(self) -> None:
        """Close it."""


@dataclass(frozen=True, slots=True)
class OpenProcess:
    """A process, held by a descriptor that can be read once it has ended. Whoever holds this closes it.

    The descriptor is a pidfd, or that of a `queue` of kqueue(2).
    """

    descriptor: int
    details: ProcessDetails
    queue: Closing | None = None

    def close(self) -> None:
        """Hold it no more."""
        if self.queue is None:
            os.close(self.descriptor)
        else:
            self.queue.close()


def alive(pidfd: int) -> bool:
    """Whether the process has not ended (a zombie has). Raises OSError for a descriptor that is closed."""
    if sys.platform == "win32":
        raise OSError(errno.EBADF, "there are no descriptors of processes here")
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    events = poll.poll(0)
    if events and events[0][1] & select.POLLNVAL:
        raise OSError(errno.EBADF, f"descriptor {pidfd} is closed")
    return not events


def describe(pidfd: int) -> ProcessDetails | None:
    """The process of this descriptor; `None` if it has ended, is outside this pid namespace, or /proc hides it."""
    try:
        details = _read(_pid_of(pidfd))
    except (OSError, ValueError):
        return None
    return details if alive(pidfd) else None


def ancestors(pidfd: int) -> tuple[ProcessDetails, ...] | None:
    """The process's parent, its parent, and so on, nearest first, as far as proved and `LONGEST_CHAIN` at most.

    `None` if the process itself has ended or cannot be read. All of the ancestors lived at the same moment,
    when the process did. The chain ends early where a parent is outside this pid namespace or ended while it
    was read.
    """
    read = open_ancestor(pidfd, lambda _: False)
    return None if read is None else read[0].ancestors


def open_ancestor(pidfd: int, wanted: Callable[[ProcessDetails], bool]) -> tuple[Lineage, OpenProcess | None] | None:
    """The process with its `ancestors`, and the nearest that is wanted with a descriptor that reports its end.

    The descriptor is as in pidfd_open(2). `None` if the process has ended or cannot be read.
    """
    climbed = _climb(pidfd)
    if climbed is None:
        return None
    details, chain = climbed
    found: OpenProcess | None = None
    try:
        found = next((link for link in chain if wanted(link.details)), None)
    finally:
        for link in chain:
            if link is not found:
                link.close()
    return Lineage(details, tuple(link.details for link in chain)), found


def _climb(pidfd: int) -> tuple[ProcessDetails, list[OpenProcess]] | None:
    """The process, and the chain of its ancestors, each held by its descriptor.

    Why a link is proved: the child's parent is read as number N, N is opened, and the child's parent is read
    again as N. Had the opened process been another one, the parent would have died in between, and the child
    would now have a reaper as its parent; a reaper is an older ancestor, never a process that has just taken
    N. And the child lived all the while, since its own descriptor says so at the end.
    """
    if sys.platform != "linux" or not hasattr(os, "pidfd_open"):  # a Python built against headers older than Linux 5.3
        return None
    try:
        child = _read(_pid_of(pidfd))
    except (OSError, ValueError):
        return None
    chain: list[OpenProcess] = []
    pid, parent = child.pid, child.parent
    while parent is not None and len(chain) < LONGEST_CHAIN:
        try:
            opened = os.pidfd_open(parent)
        except OSError:
            break
        try:
            details = _read(parent)
            if not _pid_of(opened) == parent == parse_stat(_bytes(f"{pid}/stat"))[1]:
                raise ProcessLookupError(f"{pid} has lost its parent {parent}")
        except (OSError, ValueError):
            os.close(opened)
            break
        chain.append(OpenProcess(opened, details))
        pid, parent = parent, details.parent
    holders = [pidfd, *(link.descriptor for link in chain)]
    living = 0
    while living < len(holders) and alive(holders[living]):
        living += 1
    for link in chain[max(living - 1, 0) :]:
        link.close()
    return (child, chain[: living - 1]) if living else None


def _pid_of(pidfd: int) -> int:
    """The process's number in the pid namespace of /proc. Raises OSError if it has none there, or is gone."""
    for line in _bytes(f"self/fdinfo/{pidfd}").split(b"\n"):
        if line.startswith(b"Pid:"):
            pid = int(line[4:])
            if pid > 0:
                return pid
    raise ProcessLookupError(f"descriptor {pidfd} has no process here")


def _read(pid: int) -> ProcessDetails:
    """What /proc says of this number now. Raises OSError or ValueError if there is no such process."""
    comm, parent, session, started = parse_stat(_bytes(f"{pid}/stat"))
    command = _bytes(f"{pid}/cmdline").split(b"\0", 1)[0]
    try:
        exe = _text(os.readlink(os.fsencode(f"/proc/{pid}/exe")))
    except OSError:
        exe = None
    return ProcessDetails(
        pid=pid,
        uid=known_uid(parse_uid(_bytes(f"{pid}/status"))),
        comm=_text(comm),
        command=_text(command) or None,
        exe=exe,
        parent=parent or None,
        session=session,
        cgroup=parse_cgroup(_bytes(f"{pid}/cgroup")),
        started=started,
    )


def parse_stat(text: bytes) -> tuple[bytes, int, int, int]:
    """The comm, parent, session and start time in a /proc/PID/stat. Raises ValueError if it is not one.

    A comm is any bytes: it may hold spaces, parentheses and newlines, which what follows it cannot.
    """
    start, _, rest = text.rpartition(b") ")
    _, opening, comm = start.partition(b" (")
    fields = rest.split()
    if not opening or len(fields) < 20:
        raise ValueError(f"not the text of a /proc/PID/stat: {text!r}")
    return comm, int(fields[1]), int(fields[3]), int(fields[19])


def parse_uid(text: bytes) -> int:
    """The effective uid in a /proc/PID/status. Raises ValueError if it is not one.

    The process's name comes before it, in which the kernel escapes newlines (fs/proc/array.c, `proc_task_name`).
    """
    for line in text.split(b"\n"):
        if line.startswith(b"Uid:"):
            return int(line.split()[2])
    raise ValueError(f"not the text of a /proc/PID/status: {text!r}")


def parse_cgroup(text: bytes) -> str | None:
    """The path in the unified hierarchy, or else in systemd's own, in a /proc/PID/cgroup.

    The kernel escapes nothing in it. A name may hold every byte but a slash and a newline, which it refuses
    (kernel/cgroup/cgroup.c, `cgroup_mkdir`), so that lines end where a newline is and nowhere else.
    """
    paths: dict[bytes, bytes] = {}
    for line in filter(None, text.split(b"\n")):
        _, _, place = line.partition(b":")
        controllers, _, path = place.partition(b":")
        paths[controllers] = path
    chosen = paths.get(b"", paths.get(b"name=systemd"))
    return _text(chosen) if chosen else None


def _bytes(path: str) -> bytes:
    # A command line may be megabytes long; of no file here is more than the beginning wanted.
    with open(f"/proc/{path}", "rb", buffering=0) as file:  # noqa: PTH123 - pathlib is a heavy import
        return file.read(8192) or b""


def _text(data: bytes) -> str:
    return data.decode(errors="backslashreplace")
