"""The rule that has failed calls on addresses of Unix sockets recorded (struct audit_rule_data, linux/audit.h)."""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from harness.audit.records import AF_UNIX

if TYPE_CHECKING:
    from harness.trace.calls import Machine

CALLS: Final = ("connect", "sendto", "sendmsg", "sendmmsg")
_FILTER_EXIT: Final = 4
_ALWAYS: Final = 2
_ARCH: Final = 11
_SUCCESS: Final = 104
_SADDR_FAMILY: Final = 113
_KEY: Final = 210
_EQUAL: Final = 0x40000000
_SIZE: Final = 64
"""AUDIT_MAX_FIELDS, and the words of AUDIT_BITMASK_SIZE."""
_OURS: Final = re.compile(rb"harness-watch-(\d+)-(\d+)-(\d+)")


@dataclass(frozen=True, slots=True)
class Watcher:
    """A process that watches, and how the audit system stood before the first one came."""

    pid: int
    enabled: int
    backlog_limit: int

    @property
    def key(self) -> str:
        """The name of its rule, by which whoever comes later knows what to restore."""
        return f"harness-watch-{self.pid}-{self.enabled}-{self.backlog_limit}"


def watcher(rule: bytes) -> Watcher | None:
    """Who added a rule; None for others' rules."""
    found = _OURS.search(rule)
    return None if found is None else Watcher(int(found[1]), int(found[2]), int(found[3]))


def rule(machine: Machine, key: str) -> bytes:
    """Record each call of this machine that fails and has the address of a Unix socket, under a name."""
    mask = [0] * _SIZE
    for call in CALLS:
        number = machine.numbers[call]
        mask[number // 32] |= 1 << number % 32
    fields = {_ARCH: machine.architecture, _SUCCESS: 0, _SADDR_FAMILY: AF_UNIX, _KEY: len(key)}

    def words(values: list[int]) -> list[int]:
        return [*values, *[0] * (_SIZE - len(values))]

    return struct.pack(
        f"=3I{4 * _SIZE}II",
        *(_FILTER_EXIT, _ALWAYS, len(fields)),
        *(*mask, *words([*fields]), *words([*fields.values()]), *words([_EQUAL] * len(fields))),
        len(key),
    ) + key.encode("ascii")
