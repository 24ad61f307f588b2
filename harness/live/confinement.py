"""What a process has beside ids and capabilities that may refuse it something: filters, domains and labels."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, get_args

from harness.inside.procfs import status_fields
from harness.world import CALLS, Confinement, FilteredCall

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from harness.world import Operation

FILTERED: Final = b"2"
"""The mode of a process that has filters: SECCOMP_MODE_FILTER, linux/seccomp.h."""
ELSE: Final = "a security module or the file system's own rules"
"""What may refuse whoever it is."""
_UNCONFINED: Final = frozenset({"", "unconfined", "kernel"})
FORMS: Final[Mapping[FilteredCall, tuple[str, ...]]] = {
    "unlink": ("unlink", "unlinkat"),
    "rename": ("rename", "renameat", "renameat2"),
    "chmod": ("chmod", "fchmodat"),
    "chown": ("chown", "fchownat"),
    "mkdir": ("mkdir", "mkdirat"),
    "execute": ("execve",),
    "open": ("openat",),
}
"""The calls of the C library by which an operation may be made, the first that a machine has."""
_SOCKETS: Final = tuple((1, kind | flags) for kind in (1, 2, 5) for flags in (0, 0o2000000))
"""AF_UNIX, each type, with and without SOCK_CLOEXEC."""
_OPENINGS: Final = tuple(
    (-100 & 2**64 - 1, 1 << 46, flags | more, 0o666)
    for flags in (os.O_RDONLY, os.O_WRONLY, os.O_WRONLY | os.O_CREAT, os.O_RDONLY | os.O_DIRECTORY)
    for more in (0, os.O_CLOEXEC)
)
"""The working directory (AT_FDCWD), a path in memory, and the flags with which operations open."""
_ANYTHING: Final = ((3, 1 << 46, 110, 0, 0, 0),)
"""A descriptor, an address in memory, a size: a filter can't look behind these."""
_ARGUMENTS: Final[Mapping[FilteredCall, tuple[tuple[int, ...], ...]]] = {"socket": _SOCKETS, "open": _OPENINGS}
"""What a filter may tell apart."""


@dataclass(frozen=True, slots=True)
class Filtered:
    """What the filters of a process do, as far as that could be found out.

    `refused` are the calls that they refuse; `unknown` is a sentence for each that they may refuse, by call. `any`: it
    has some, or may have, since it can't be read.
    """

    refused: Confinement | None = None
    unknown: tuple[tuple[FilteredCall, str], ...] = ()
    any: bool = False

    def doubt(self, operation: Operation) -> str | None:
        """What leaves open whether an operation may be called."""
        calls = CALLS.get(operation, ())
        return next((why for call, why in self.unknown if call in calls), None)


def filters(pid: int) -> int:
    """How many filters of system calls a process has; 1 stands for some on kernels before 5.9. Raises OSError."""
    fields = status_fields(pid)
    return int(fields.get(b"Seccomp_filters", b"1")) if fields.get(b"Seccomp") == FILTERED else 0


def filtered(pid: int, ours: int = 0) -> Filtered:
    """What the filters of a process do with each call; of these, the last `ours` are the harness's own, and none."""
    try:
        return Filtered() if filters(pid) <= ours else _evaluated(pid, ours)
    except (OSError, KeyError, ValueError):
        why = (
            f"process {pid} has a filter of system calls (seccomp) of its own, which may refuse what all else allows; "
            "it could not be read: that takes root (CAP_SYS_ADMIN) without a filter, so run this outside of a container"
        )
        return Filtered(unknown=tuple((call, why) for call in get_args(FilteredCall)), any=True)


def _evaluated(pid: int, ours: int) -> Filtered:
    from harness.trace import seccomp  # noqa: PLC0415 - few processes have a filter: without, all is told sooner
    from harness.trace.calls import MACHINES  # noqa: PLC0415 - likewise

    machine = MACHINES[os.uname().machine]
    programs = seccomp.read_filters(pid)
    programs = programs[: len(programs) - ours]
    refused: list[tuple[FilteredCall, str]] = []
    unknown: list[tuple[FilteredCall, str]] = []
    calls: tuple[FilteredCall, ...] = get_args(FilteredCall)
    for call in calls:
        name = next((name for name in FORMS.get(call, (call,)) if name in machine.numbers), None)
        if name is None:
            continue
        found = {seccomp.outcome(programs, machine, name, arguments) for arguments in _ARGUMENTS.get(call, _ANYTHING)}
        if found == {"ok"}:
            continue
        (first,) = found if len(found) == 1 else (None,)
        if first is None:
            why = "another process decides" if None in found else "it depends on more than is known here"
            what = f"a filter of system calls (seccomp) of process {pid} may refuse {call}"
            unknown.append((call, f"{what}: {why}, so that is not known"))
        else:
            refused.append((call, first))
    return Filtered(Confinement(tuple(sorted(refused))) if refused else None, tuple(unknown), any=True)


def confined_by(pid: int, ours: int = 0) -> Iterator[str]:
    """What a process has that another one with its ids has not; of its filters, `ours` are the harness's own."""
    with contextlib.suppress(OSError):
        if filters(pid) > ours:
            yield f"a filter of system calls (seccomp) on process {pid}"
    label = enforced_label(pid)
    if label:
        yield f"the label {label} of process {pid}"


def enforced_label(pid: int) -> str | None:
    """The label by which a security module holds a process; empty if that refuses nothing, None if it is not known.

    AppArmor tells the mode of a profile behind its name, and what is unconfined or only complained of passes
    (apparmor(7)).
    """
    for name in ("apparmor/current", "current"):
        try:
            label = Path(f"/proc/{pid}/attr/{name}").read_text("utf-8", "replace").strip("\0\n ")
        except OSError:
            continue
        return "" if label in _UNCONFINED or label.endswith(("(complain)", "(unconfined)")) else label
    return None
