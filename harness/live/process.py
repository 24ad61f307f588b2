"""A running process as the kernel sees it: ids, groups, capabilities, root directory (proc_pid_status(5))."""

from __future__ import annotations

import contextlib
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

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


class ProcessError(Exception):
    """A process that can't be looked at: one sentence."""


@dataclass(frozen=True, slots=True)
class RunningProcess:
    """A process. `root` is the directory below which its files are found from here, `/` where it shares ours.

    `uids` and `gids` are the ids that exist in its user namespace, as ranges in our numbers; capabilities count only
    for what belongs to such ids.
    """

    pid: int
    name: str
    principal: Principal
    root: str
    uids: tuple[range, ...]
    gids: tuple[range, ...]


def running(pid: int) -> RunningProcess:
    """Read a process. Raises ProcessError."""
    if not Path("/proc/self/status").exists():
        raise ProcessError("the machine is read by /proc as Linux has it, and here there is none")
    try:
        name, principal = parse_status(read_lines(f"/proc/{pid}/status"))
    except OSError as error:
        if isinstance(error, FileNotFoundError | ProcessLookupError):
            raise ProcessError(f"no process has pid {pid}") from error
        raise ProcessError(f"process {pid} can't be read: {error.strerror}") from error
    return RunningProcess(pid, name, principal, _root(pid), _ranges(pid, "uid_map"), _ranges(pid, "gid_map"))


def parse_status(lines: Sequence[bytes]) -> tuple[str, Principal]:
    """A process's name, and the ids, groups and capabilities that count for its files."""
    fields = {key: value for key, _, value in (line.partition(b":\t") for line in lines)}
    uid, gid = (int(fields[key].split()[3]) for key in (b"Uid", b"Gid"))  # real, effective, saved, file system
    held = int(fields[b"CapEff"], 16)
    capabilities = frozenset(name for number, name in CAPABILITIES.items() if held >> number & 1)
    natural = frozenset(CAPABILITIES.values()) if uid == 0 else frozenset[str]()
    groups = tuple(sorted(map(int, fields[b"Groups"].split())))
    name = unescaped_name(fields[b"Name"])
    return name, Principal(uid, gid, groups, None if capabilities == natural else capabilities)


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


def container_process(container: str) -> int:
    """The pid of a container's first process, by what Docker or Podman says, else by the control groups.

    Raises ProcessError if no running container has that name or id.
    """
    for command in ("docker", "podman"):
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):
            said = subprocess.run(
                [command, "inspect", "--type", "container", "--format", "{{.State.Pid}}", "--", container],
                capture_output=True,
                text=True,
                check=False,
                timeout=20,
            )
            if said.returncode == 0 and said.stdout.strip().isdecimal() and int(said.stdout) > 0:
                return int(said.stdout)
    raise ProcessError(f"neither docker nor podman knows a running container {container!r}")
