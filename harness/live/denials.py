"""Denials that security modules have had recorded: of this process or path, in these minutes, as evidence."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

LOG: Final = Path("/var/log/audit/audit.log")
KERNEL: Final = "/dev/kmsg"
RECENT: Final = 600.0
"""Seconds for which a denial is worth telling."""
SHOWN: Final = 2
_TAIL: Final = 1 << 18
_RECORD: Final = 8192
"""The longest that the kernel gives of /dev/kmsg at once (kernel/printk/printk.c)."""
_WHEN: Final = re.compile(r"audit\((\d+)\.\d+:\d+\)")
_DENIED: Final = re.compile(r'apparmor="DENIED"|avc:\s+denied|blockers=(?:fs|scope)\.')
"""AppArmor's record, SELinux's and Landlock's (since Linux 6.15)."""


def denials(pid: int, path: str) -> list[str]:
    """The last that were recorded of a process, or of a path, where they may be read; each with its time."""
    return list(matching([*_logged(), *_printed()], pid, path, time.time()))[-SHOWN:]


def matching(records: Iterable[str], pid: int, path: str, now: float) -> Iterator[str]:
    """Those that are about the process or the path, and not old."""
    of_process = re.compile(rf"\bpid={pid}\b")
    told: set[str] = set()
    for record in records:
        when = _WHEN.search(record)
        if when is None or not _DENIED.search(record) or not 0 <= now - int(when[1]) <= RECENT:
            continue
        about = of_process.search(record) or f'name="{path}"' in record or f'path="{path}"' in record
        if about and when[0] not in told:
            told.add(when[0])
            said = record[when.end() :].lstrip(": ").strip()
            yield f"recorded at {time.strftime('%H:%M:%S', time.localtime(int(when[1])))}: {said}"


def _logged() -> list[str]:
    """The end of auditd's log."""
    try:
        with LOG.open("rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - _TAIL))
            return file.read(_TAIL).decode("utf-8", "replace").split("\n")
    except OSError:
        return []


def _printed() -> list[str]:
    """The kernel's own messages, where no auditd takes the records."""
    found: list[str] = []
    try:
        descriptor = os.open(KERNEL, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return found
    try:
        while True:
            try:
                found.append(os.read(descriptor, _RECORD).decode("utf-8", "replace"))
            except BrokenPipeError:  # overwritten before it was read: the next one is there
                continue
            except OSError:
                return found
    finally:
        os.close(descriptor)
