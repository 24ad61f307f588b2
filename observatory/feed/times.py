"""Times as people are shown them, and now as they mean it: in the zone of their machine, or in UTC."""

from __future__ import annotations

import functools
from datetime import UTC, datetime
from typing import Final

_OF_A_SERVER: Final = len("2026-01-31T13:00:00.000000Z")
_SECONDS: Final = frozenset(f"{second:02}" for second in range(60))


def now(utc: bool) -> datetime:
    """The time now, whose zone is that of times without one."""
    return datetime.now(UTC) if utc else datetime.now().astimezone()


def shown(time: object, utc: bool) -> str:
    """A time in RFC 3339, to the second: local with its offset, or in UTC; as it came if it is no time."""
    text = str(time or "")
    if len(text) == _OF_A_SERVER and text[-1] == "Z" and (second := text[17:19]) in _SECONDS:
        minute = _shown(f"{text[:17]}00Z", utc)  # those of a minute are many, and differ in this alone
        if minute is not None and minute[17:19] == "00":
            return f"{minute[:17]}{second}{minute[19:]}"
    return _shown(text, utc) or text


@functools.lru_cache(maxsize=1024)
def _shown(text: str, utc: bool) -> str | None:
    try:
        found = datetime.fromisoformat(text).astimezone(UTC if utc else None)
    except (ValueError, OverflowError):
        return None
    return found.isoformat(" ", "seconds").replace("+00:00", "Z" if utc else "+00:00")
