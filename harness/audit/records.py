"""What the audit system writes of one call: several records with one number, put together (audit.rules(7))."""

from __future__ import annotations

import os
import re
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from harness.trace.memory import spelled

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

AUDIT_SYSCALL: Final = 1300
AUDIT_PATH: Final = 1302
AUDIT_CONFIG_CHANGE: Final = 1305
AUDIT_SOCKADDR: Final = 1306
AUDIT_CWD: Final = 1307
AUDIT_EOE: Final = 1320
AF_UNIX: Final = 1
"""As Linux has it, whatever this machine's `socket` module says."""
_STAMP: Final = re.compile(r"audit\((\d+)\.(\d+):(\d+)\): ?")
_FIELD: Final = re.compile(r'([\w-]+)=("[^"]*"|\S+)')
_MOST: Final = 256
"""Calls of which the end has not come yet; a record may get lost."""


@dataclass(frozen=True, slots=True)
class RecordedCall:
    """A call that failed. Ids and pids are those of the first namespaces.

    `at` is the time in seconds since the epoch. `parent` is the pid of the process's parent. `path` begins with `@` for
    an abstract name. `cwd` is the working directory as the process names it, None where that was not recorded. `file`
    is the device and inode of what the path led to, None where the way ended earlier.
    """

    at: float
    pid: int
    parent: int
    uid: int
    gid: int
    program: str
    number: int
    error: int
    path: str
    cwd: str | None
    file: tuple[int, int] | None


class Assembly:
    """Puts the records of each call together.

    A record names the first rule that had it made, so that any rule of somebody else's may be named. `key` is the name
    of the one that has to be there.
    """

    def __init__(self, key: str) -> None:
        self._key = key
        self._open: dict[str, list[tuple[int, Mapping[str, str]]]] = {}

    def record(self, kind: int, text: str) -> RecordedCall | None:
        """Take a record; the call, when this was its last one and it failed on a Unix socket's address."""
        stamp = _STAMP.match(text)
        if stamp is None:
            return None
        number = stamp[3]
        if kind != AUDIT_EOE:
            self._open.setdefault(number, []).append((kind, dict(_FIELD.findall(text[stamp.end() :]))))
            if len(self._open) > _MOST:
                del self._open[next(iter(self._open))]
            return None
        return self._call(float(f"{stamp[1]}.{stamp[2]}"), self._open.pop(number, []))

    def ends(self, change: str) -> bool:
        """Whether a change of the audit system's configuration ends the rule's work."""
        fields = dict(_FIELD.findall(change))
        removed = fields.get("op") == "remove_rule" and _text(fields.get("key", "")) == self._key
        return removed or fields.get("audit_enabled") == "0"

    def _call(self, at: float, records: Sequence[tuple[int, Mapping[str, str]]]) -> RecordedCall | None:
        def first(kind: int) -> Mapping[str, str]:
            return next((fields for each, fields in records if each == kind), {})

        called, address = first(AUDIT_SYSCALL), first(AUDIT_SOCKADDR)
        if called.get("success") != "no" or "saddr" not in address:
            return None
        path = unix_address(bytes.fromhex(address["saddr"]))
        if path is None:
            return None
        cwd = first(AUDIT_CWD).get("cwd")
        return RecordedCall(
            at,
            int(called["pid"]),
            int(called["ppid"]),
            int(called["fsuid"]),
            int(called["fsgid"]),
            _text(called["comm"]),
            int(called["syscall"]),
            -int(called["exit"]),
            path,
            None if cwd is None else _text(cwd),
            _file(first(AUDIT_PATH)),
        )


def unix_address(address: bytes) -> str | None:
    """The path or `@` and the abstract name of a sockaddr_un; None for one without a name, or of another family."""
    family, name = address[:2], address[2:]
    if family != struct.pack("=H", AF_UNIX) or not name:
        return None
    if name[:1] == b"\0":
        return "@" + os.fsdecode(name[1:])
    return spelled(os.fsdecode(name.partition(b"\0")[0]))


def _text(value: str) -> str:
    """A string as it was: quoted, or in hexadecimal where it has a quote, a space or a control character."""
    if value.startswith('"'):
        return value[1:-1]
    try:
        return os.fsdecode(bytes.fromhex(value))
    except ValueError:
        return value


def _file(path: Mapping[str, str]) -> tuple[int, int] | None:
    if "inode" not in path:
        return None
    major, minor = (int(number, 16) for number in path["dev"].split(":"))
    return os.makedev(major, minor), int(path["inode"])
