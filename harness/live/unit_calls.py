"""Which calls a service's options take away: RestrictAddressFamilies= and SystemCallFilter= (systemd.exec(5))."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Final, get_args

from harness.live.confinement import FORMS, Filtered
from harness.world import Confinement, FilteredCall

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.live.unit_files import UnitFiles

OF_NAMES: Final = frozenset(
    {
        *("unlink", "unlinkat", "rename", "renameat", "renameat2", "chmod", "fchmodat"),
        *("mkdir", "mkdirat", "truncate", "openat"),
    }
)
OF_OWNERS: Final = frozenset({"chown", "fchownat"})
ALWAYS: Final = frozenset({"execve"})
"""A list that allows has this without saying so (`@default`), until it takes it away."""
OF_SOCKETS: Final = frozenset({"socket", "connect", "bind"})
SETS: Final[Mapping[str, frozenset[str]]] = {
    "@file-system": OF_NAMES,
    "@network-io": OF_SOCKETS,
    "@chown": OF_OWNERS,
    "@privileged": OF_OWNERS,
    "@default": ALWAYS,
    "@system-service": OF_NAMES | OF_OWNERS | OF_SOCKETS | ALWAYS,
    "@known": OF_NAMES | OF_OWNERS | OF_SOCKETS | ALWAYS,
}
"""Of systemd's sets those with calls that matter here (syscall_filter_sets in src/shared/seccomp-util.c)."""
KILLED: Final = "SIGSYS"
"""The outcome where a call ends the process."""


def calls_of(files: UnitFiles) -> Filtered:
    """What the filter does that a service is started with."""
    refused: dict[FilteredCall, str] = {}
    if not _families(files):
        refused["socket"] = "EAFNOSUPPORT"
    lists = _Lists(files)
    calls: tuple[FilteredCall, ...] = get_args(FilteredCall)
    for call in calls:
        said = {lists.answer(name) for name in FORMS.get(call, (call,))}
        if "ok" not in said:
            refused.setdefault(call, min(said))
    return Filtered(Confinement(tuple(sorted(refused.items()))) if refused else None)


def _families(files: UnitFiles) -> bool:
    """Whether AF_UNIX is among the families: the first assignment says whether the list allows or forbids."""
    allows: bool | None = None
    listed = False
    for value in files.assignments.get("RestrictAddressFamilies", ()):
        inverted, words = value.startswith("~"), value.lstrip("~").split()
        if value == "none":
            allows, listed = True, False
            continue
        allows = not inverted if allows is None else allows
        if "AF_UNIX" in words or "AF_LOCAL" in words:
            listed = inverted != allows
    return True if allows is None else listed == allows


class _Lists:
    """What the lists of SystemCallFilter= answer to a call: `ok`, an errno's name, or that the process is killed."""

    def __init__(self, files: UnitFiles) -> None:
        self._listed: dict[str, str | None] = {}
        self._allows: bool | None = None
        self._usual = files.last("SystemCallErrorNumber")
        for value in files.assignments.get("SystemCallFilter", ()):
            inverted = value.startswith("~")
            if self._allows is None:
                self._allows = not inverted
                self._listed = dict.fromkeys(ALWAYS) if self._allows else {}
            for word in value.lstrip("~").split():
                name, _, answer = word.partition(":")
                for each in SETS.get(name, frozenset({name})):
                    if inverted != self._allows:
                        self._listed[each] = answer or None
                    else:
                        self._listed.pop(each, None)

    def answer(self, name: str) -> str:
        if self._allows is None or (name in self._listed) == self._allows:
            return "ok"
        return _named(self._listed.get(name) or self._usual)


def _named(answer: str | None) -> str:
    if answer is None or answer == "kill":
        return KILLED
    return errno.errorcode.get(int(answer), answer) if answer.isdecimal() else answer
