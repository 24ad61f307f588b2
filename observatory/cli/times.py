"""Times as the commands show them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from observatory.errors import ExitStatus, ObservatoryError

if TYPE_CHECKING:
    import argparse


def shown(time: object, utc: bool) -> str:
    """A time in RFC 3339, to the second: local with its offset, or in UTC; as it came if it is no time."""
    try:
        found = datetime.fromisoformat(str(time)).astimezone(UTC if utc else None)
    except (ValueError, OverflowError):
        return str(time or "")
    return found.isoformat(" ", "seconds").replace("+00:00", "Z" if utc else "+00:00")


def asked(options: argparse.Namespace, name: str) -> datetime | None:
    """The time that `--since` or `--until` means, `None` if it was not given. Raises ObservatoryError."""
    from observatory.client.query import instant

    text: str | None = getattr(options, name)
    if text is None:
        return None
    try:
        return instant(text, datetime.now(UTC) if options.utc else datetime.now().astimezone())
    except ValueError as error:
        raise ObservatoryError(f"--{name}: {error}", ExitStatus.USAGE) from None
