"""Which uids a user has besides the own one, by /etc/subuid (subuid(5)): in user namespaces they are as many users.

Read once, at the start. Ranges that a service gives out by the name service switch (`subid:` in nsswitch.conf) are not
in this file, and their uids are users by themselves here.
"""

from __future__ import annotations

import pwd
from pathlib import Path
from typing import TYPE_CHECKING, Final

from observatory.service.quota import Range

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SUBUID: Final = Path("/etc/subuid")


def subordinate_ids(path: Path = SUBUID) -> list[Range]:
    """The ranges of all users of this machine; none if there is no such file, or it can't be read."""
    try:
        text = path.read_text("utf-8", errors="replace")
    except OSError:
        return []
    return list(parse(text, _uid))


def parse(text: str, uid_of: Callable[[str], int | None]) -> Iterator[Range]:
    """The ranges that a subuid file names. A line that makes no sense, or is of nobody here, is passed over."""
    for line in text.split("\n"):
        match line.split(":"):
            case [owner, first, count] if _is_number(first) and _is_number(count):
                uid = int(owner) if _is_number(owner) else uid_of(owner)
                if uid is not None:
                    yield Range(uid, int(first), int(count))


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= len(str(2**32))


def _uid(name: str) -> int | None:
    try:
        return pwd.getpwnam(name).pw_uid
    except (KeyError, ValueError):
        return None
