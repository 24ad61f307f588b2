"""Times as the commands show them."""

from __future__ import annotations

from datetime import UTC, datetime


def shown(time: object, utc: bool) -> str:
    """A time in RFC 3339, to the second: local with its offset, or in UTC; as it came if it is no time."""
    try:
        found = datetime.fromisoformat(str(time)).astimezone(UTC if utc else None)
    except (ValueError, OverflowError):
        return str(time or "")
    return found.isoformat(" ", "seconds").replace("+00:00", "Z" if utc else "+00:00")
