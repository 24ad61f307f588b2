"""The options that are about times."""

from __future__ import annotations

from typing import TYPE_CHECKING

from observatory.errors import ExitStatus, ObservatoryError

if TYPE_CHECKING:
    import argparse
    from datetime import datetime


def add_utc_option(parser: argparse.ArgumentParser) -> None:
    """Add `--utc`."""
    parser.add_argument(
        "--utc", action="store_true", help="times in UTC, those that are given and those that are shown"
    )


def asked(options: argparse.Namespace, name: str) -> datetime | None:
    """The time that `--since` or `--until` means, `None` if it was not given. Raises ObservatoryError."""
    from observatory.client.query import instant
    from observatory.feed.times import now

    text: str | None = getattr(options, name)
    if text is None:
        return None
    try:
        return instant(text, now(options.utc))
    except ValueError as error:
        raise ObservatoryError(f"--{name}: {error}", ExitStatus.USAGE) from None
