"""Rules of an AppArmor profile, as a world says them: three kinds of the language of apparmor.d(5).

`network unix`: Unix sockets may be made. `PATH w`: what has that path may be written, made, renamed, removed and
changed, and connected to where the kernel asks about that. `deny PATH w`: that may not, whatever another rule says.
A path may end in `/*`, any one name below, or `/**`, whatever is below. Reading is always allowed.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

NETWORK: Final = "network unix"
RULE: Final = re.compile(rf"{NETWORK}|(?P<deny>deny )?(?P<path>/(?:[A-Za-z0-9._-]+/)*(?:\*\*?|[A-Za-z0-9._-]*)) w")
"""What a rule looks like."""


def makes_sockets(rules: Iterable[str]) -> bool:
    """Whether a profile lets a process make Unix sockets."""
    return NETWORK in rules


def may_write(rules: Iterable[str], path: str, *, directory: bool = False) -> bool:
    """Whether a profile lets a process write to a path; that of a directory ends in a slash (apparmor.d(5))."""
    named = f"{path.rstrip('/')}/" if directory else path
    found = [match for match in map(RULE.fullmatch, rules) if match is not None and match["path"] is not None]
    matching = [match for match in found if _matches(match["path"], named)]
    return any(match["deny"] is None for match in matching) and all(match["deny"] is None for match in matching)


def _matches(pattern: str, path: str) -> bool:
    stem = pattern.rstrip("*")
    rest = path[len(stem) :]
    if not path.startswith(stem) or pattern == stem:
        return path == stem
    # Either stands for one character at least, which is no slash (parser_regex.c in AppArmor's parser).
    return bool(rest) and not rest.startswith("/") and (pattern.endswith("**") or "/" not in rest)
