"""Rules of an AppArmor profile, as a world says them: four kinds of the language of apparmor.d(5).

`network unix`: Unix sockets may be made. `PATH w`: what has that path may be written, made, renamed, removed, cut off
and changed, and connected to where the kernel asks about that. `deny PATH w`: that may not, whatever another rule says.
`deny PATH r` and `deny PATH x`: that may not be read or listed, or not be executed, which all else may. A path may end
in `/*`, any one name below, or `/**`, whatever is below.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable

NETWORK: Final = "network unix"
_PATH: Final = r"/(?:[A-Za-z0-9._-]+/)*(?:\*\*?|[A-Za-z0-9._-]*)"
RULE: Final = re.compile(rf"{NETWORK}|{_PATH} w|deny {_PATH} [rwx]")
"""What a rule looks like."""


def makes_sockets(rules: Iterable[str]) -> bool:
    """Whether a profile lets a process make Unix sockets."""
    return NETWORK in rules


def allows(rules: Iterable[str], path: str, access: Literal["r", "w", "x"], *, directory: bool = False) -> bool:
    """Whether a profile lets a process read, write or execute a path; a directory's ends in a slash (apparmor.d(5))."""
    named = f"{path.rstrip('/')}/" if directory else path
    given = access != "w"
    for rule in rules:
        pattern, _, letter = rule.removeprefix("deny ").rpartition(" ")
        if letter == access and _matches(pattern, named):
            if rule.startswith("deny "):
                return False
            given = True
    return given


def _matches(pattern: str, path: str) -> bool:
    stem = pattern.rstrip("*")
    rest = path[len(stem) :]
    if not path.startswith(stem) or pattern == stem:
        return path == stem
    # Either stands for one character at least, which is no slash (parser_regex.c in AppArmor's parser).
    return bool(rest) and not rest.startswith("/") and (pattern.endswith("**") or "/" not in rest)
