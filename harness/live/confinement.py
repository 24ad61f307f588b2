"""What a process has beside ids and capabilities that may refuse it something: filters and labels."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Final

from harness.live.kernel_text import read_lines

if TYPE_CHECKING:
    from collections.abc import Iterator

FILTERED: Final = b"2"
"""The mode of a process that has filters: SECCOMP_MODE_FILTER, linux/seccomp.h."""
ELSE: Final = "a security module or the file system's own rules"
"""What may refuse whoever it is."""
_UNCONFINED: Final = frozenset({"", "unconfined", "kernel"})


def filters(pid: int) -> int | None:
    """How many filters of system calls a process has; None if that is not known, and 1 stands for some before 5.9.

    Raises OSError.
    """
    fields = {key: value for key, _, value in (line.partition(b":\t") for line in read_lines(f"/proc/{pid}/status"))}
    if b"Seccomp" not in fields:
        return None
    if fields[b"Seccomp"] != FILTERED:
        return 0
    return int(fields.get(b"Seccomp_filters", b"1"))


def confined_by(pid: int, ours: int = 0) -> Iterator[str]:
    """What a process has that another one with its ids has not; of its filters, `ours` are the harness's own."""
    with contextlib.suppress(OSError):
        if (filters(pid) or 0) > ours:
            yield f"a filter of system calls (seccomp) on process {pid}"
    with contextlib.suppress(OSError):
        label = Path(f"/proc/{pid}/attr/current").read_text("utf-8", "replace").strip("\0\n ")
        if label not in _UNCONFINED:
            yield f"the label {label} of process {pid}"
