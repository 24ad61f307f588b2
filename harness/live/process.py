"""A running process as the kernel sees it: ids, groups, capabilities, root directory (proc_pid_status(5))."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness.inside.procfs import by_key
from harness.live.kernel_text import read_lines, unescaped_name
from harness.world import Principal

if TYPE_CHECKING:
    from collections.abc import Sequence

CAPABILITIES = {
    0: "CAP_CHOWN",
    1: "CAP_DAC_OVERRIDE",
    2: "CAP_DAC_READ_SEARCH",
    3: "CAP_FOWNER",
    4: "CAP_FSETID",
}
"""The capabilities that can turn an attempt, by their numbers in linux/capability.h."""


ALL_IDS = 2**32
OVERFLOW = 65534
"""What an id that is not mapped in the reader's user namespace reads as (kernel.overflowuid)."""


class ProcessError(Exception):
    """A process that can't be looked at: one sentence."""


@dataclass(frozen=True, slots=True)
class RunningProcess:
    """A process. `root` is the directory below which its files are found from here, `/` where it shares ours.

    `uids` and `gids` are the ids that exist in its user namespace, as ranges in our numbers; capabilities count only
    for what belongs to such ids. `ids` are its real, effective, saved and file system's uids, then the gids.
    `effective` and `bounding` are sets of capabilities as bits.
    """

    pid: int
    name: str
    principal: Principal
    root: str
    uids: tuple[range, ...]
    gids: tuple[range, ...]
    ids: tuple[frozenset[int], frozenset[int]] = (frozenset(), frozenset())
    effective: int = 0
    bounding: int = 0


def running(pid: int) -> RunningProcess:
    """Read a process. Raises ProcessError."""
    if not Path("/proc/self/status").exists():
        raise ProcessError("the machine is read by /proc as Linux has it, and here there is none")
    try:
        lines = read_lines(f"/proc/{pid}/status")
    except OSError as error:
        if isinstance(error, FileNotFoundError | ProcessLookupError):
            raise ProcessError(f"no process has pid {pid}") from error
        raise ProcessError(f"process {pid} can't be read: {error.strerror}") from error
    name, principal = parse_status(lines)
    fields = by_key(lines)
    uids, gids = (frozenset(map(int, fields[key].split())) for key in (b"Uid", b"Gid"))
    held = (int(fields[b"CapEff"], 16), int(fields[b"CapBnd"], 16))
    ranges = (_ranges(pid, "uid_map"), _ranges(pid, "gid_map"))
    return RunningProcess(pid, name, principal, _root(pid), *ranges, (uids, gids), *held)


def parse_status(lines: Sequence[bytes]) -> tuple[str, Principal]:
    """A process's name, and the ids, groups and capabilities that count for its files."""
    fields = by_key(lines)
    uid, gid = (int(fields[key].split()[3]) for key in (b"Uid", b"Gid"))  # real, effective, saved, file system
    groups = tuple(sorted(map(int, fields[b"Groups"].split())))
    return unescaped_name(fields[b"Name"]), Principal(uid, gid, groups, named(int(fields[b"CapEff"], 16), uid))


def named(held: int, uid: int) -> frozenset[str] | None:
    """The capabilities of a set of bits that can turn an attempt; None where they are what the uid gives by itself."""
    capabilities = frozenset(name for number, name in CAPABILITIES.items() if held >> number & 1)
    natural = frozenset(CAPABILITIES.values()) if uid == 0 else frozenset[str]()
    return None if capabilities == natural else capabilities


def started(pid: int) -> int:
    """When a process was started, in ticks since boot. Raises OSError, and IndexError where it is just ending."""
    # After the name in parentheses, which may contain any byte: the 22nd field of proc_pid_stat(5).
    return int(read_lines(f"/proc/{pid}/stat")[-1].rpartition(b") ")[2].split()[19])


def unit_of(pid: int) -> str | None:
    """The systemd unit that a process belongs to, as its control group is named (proc_pid_cgroup(5))."""
    try:
        lines = read_lines(f"/proc/{pid}/cgroup")
    except OSError:
        return None
    names = (os.fsdecode(name) for line in lines for name in reversed(line.split(b"/")))
    return next((name for name in names if name.endswith(".service")), None)


def in_login(pid: int) -> bool:
    """Whether a process descends from a login, by the uid that pam_loginuid(8) gave it."""
    try:
        return int(read_lines(f"/proc/{pid}/loginuid")[0]) < ALL_IDS - 1
    except (OSError, IndexError, ValueError):
        return False


def _root(pid: int) -> str:
    """Where the process's root directory is found. Raises ProcessError if it is another one and closed to us."""
    root = f"/proc/{pid}/root"
    try:
        same = os.path.samestat(os.stat(root + "/"), os.stat("/")) and os.readlink(
            f"/proc/{pid}/ns/mnt"
        ) == os.readlink("/proc/self/ns/mnt")
    except PermissionError:
        with contextlib.suppress(OSError):
            if Path(f"/proc/{pid}/mountinfo").read_bytes() == Path("/proc/self/mountinfo").read_bytes():
                return "/"
        raise ProcessError(
            f"process {pid} belongs to somebody else and may have a root directory of its own: run this as root"
        ) from None
    except OSError as error:
        raise ProcessError(f"process {pid} can't be read: {error.strerror}") from error
    return "/" if same else root


def _ranges(pid: int, name: str) -> tuple[range, ...]:
    """The ids of our user namespace that a process's user namespace knows.

    Read from another user namespace, the second column is in the reader's numbers; read from the same, it is in the
    parent's, and the first is in ours (user_namespaces(7)).
    """
    try:
        lines = read_lines(f"/proc/{pid}/{name}")
        column = 0 if os.readlink(f"/proc/{pid}/ns/user") == os.readlink("/proc/self/ns/user") else 1
    except OSError:
        return (range(ALL_IDS),)
    rows = [[int(field) for field in line.split()] for line in lines]
    return tuple(range(row[column], row[column] + row[2]) for row in rows)


def inside(number: int, pid: int, name: str) -> int:
    """Our number of an id by the number that a process's user namespace has for it; the overflow id where it has none.

    For one that is not our own, which would tell its parent's numbers.
    """
    rows = [[int(field) for field in line.split()] for line in read_lines(f"/proc/{pid}/{name}")]
    return next((row[0] + number - row[1] for row in rows if row[1] <= number < row[1] + row[2]), OVERFLOW)


def outside(number: int, pid: int, name: str) -> int:
    """An id of a process's user namespace by our number for it; the overflow id where it has none."""
    try:
        if os.readlink(f"/proc/{pid}/ns/user") == os.readlink("/proc/self/ns/user"):
            return number
        rows = [[int(field) for field in line.split()] for line in read_lines(f"/proc/{pid}/{name}")]
    except OSError:
        return number
    return next((row[1] + number - row[0] for row in rows if row[0] <= number < row[0] + row[2]), OVERFLOW)
