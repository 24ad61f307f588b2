"""Which process each session is, kept in a file, so that a server that starts again knows who ended meanwhile.

A pid alone means nothing after a while, and after a reboot nothing at all. A process is kept as its pid, the time of
its start in clock ticks since boot (proc(5), /proc/PID/stat), the boot's own id and that of the pid namespace in which
it has this pid: no two processes have all four.

The file grows by a line for each session that begins or ends, and is written anew when it is opened. A line that a
crash has cut off is passed over, and so is a disk that is full: what is lost is the end of some session.
"""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from observatory.ownership import open_own_file

if TYPE_CHECKING:
    from collections.abc import Iterator

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_NAMESPACE = Path("/proc/self/ns/pid")


class Where(msgspec.Struct, frozen=True):
    """In which a pid means something: one boot of one kernel, and one pid namespace of it."""

    boot: str
    namespace: str


class Remembered(msgspec.Struct, frozen=True):
    """A session and its process, or that there is no need to remember it (`over`).

    `uid`, `gid` and `groups` are the credentials of the hook that led to the process, `owner` is the process's own
    effective uid.
    """

    where: Where
    uid: int
    gid: int | None
    groups: tuple[int, ...] | None
    session: str
    pid: int
    owner: int | None
    started: int
    over: bool = False


def here() -> Where | None:
    """Where this process is (random(4), pid_namespaces(7)); `None` if the kernel doesn't say.

    On macOS everywhere is one place: the time of a process's start is told to the microsecond, and no clock moves it.
    """
    if sys.platform == "darwin":
        return Where("", "")
    try:
        return Where(_BOOT_ID.read_text("utf-8").strip(), str(_NAMESPACE.readlink()))
    except OSError:
        return None


class Memory:
    """The sessions of one server, on disk. One process at a time, which the database's lock sees to."""

    def __init__(self, path: Path) -> None:
        """Open the file, or make it. Raises ObservatoryError for a file that is not this user's alone, else OSError."""
        self._sessions = {(entry.uid, entry.session): entry for entry in _read(path) if not entry.over}
        temporary = path.with_name(f"{path.name}.{os.urandom(8).hex()}")
        # The new file, under its old name by the end: nobody else has it open, and no link is followed.
        self._descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)
        os.fchmod(self._descriptor, 0o600)  # under every umask
        for entry in self._sessions.values():
            self._write(entry)
        temporary.replace(path)

    def sessions(self) -> list[Remembered]:
        """Those that have not ended, as far as is known."""
        return list(self._sessions.values())

    def began(self, entry: Remembered) -> None:
        """Remember a session."""
        self._sessions[entry.uid, entry.session] = entry
        self._write(entry)

    def over(self, uid: int, session: str) -> None:
        """Remember a session no more."""
        entry = self._sessions.pop((uid, session), None)
        if entry is not None:
            self._write(msgspec.structs.replace(entry, over=True))

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)

    def _write(self, entry: Remembered) -> None:
        with contextlib.suppress(OSError):
            os.write(self._descriptor, msgspec.json.encode(entry) + b"\n")


def _read(path: Path) -> Iterator[Remembered]:
    """What a file holds, in order: of each session, the last line counts."""
    try:
        descriptor = open_own_file(str(path), os.O_RDONLY)
    except FileNotFoundError:
        return
    latest: dict[tuple[int, str], Remembered] = {}
    with os.fdopen(descriptor, "rb") as file:
        for line in file:
            with contextlib.suppress(msgspec.DecodeError):
                entry = msgspec.json.decode(line, type=Remembered)
                latest[entry.uid, entry.session] = entry
    yield from latest.values()
