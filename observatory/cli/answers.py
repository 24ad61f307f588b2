"""What commands that answer one question about events have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar

from observatory.cli.events import parameters
from observatory.cli.origin import origin_of
from observatory.cli.remarks import remark

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

T = TypeVar("T")
QUESTION: Final = "Shows the events that you may see, oldest first."


def lines(options: argparse.Namespace) -> Iterator[bytes]:
    """The events that the options mean, as JSON. Raises ObservatoryError."""
    origin = origin_of(options)
    return _counted(options, origin.lines(parameters(options, origin)))


def asked(options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """The same, read."""
    origin = origin_of(options)
    return _counted(options, origin.events(parameters(options, origin)))


def _counted(options: argparse.Namespace, events: Iterator[T]) -> Iterator[T]:
    """The same. If they are as many as are looked at where nobody says how many, there may be more: that is said."""
    count = 0
    for event in events:
        count += 1
        yield event
    if options.limit is None and count == options.newest:
        remark(options.command, f"looked at the newest {count} events only; --limit N looks at more")


def who(event: dict[str, Any], utc: bool) -> tuple[str, str, str, str]:
    """When it was, and of whom: the user, the session and the agent."""
    from observatory.feed.times import shown
    from observatory.identity.names import user_of_row

    uid, host = event.get("_peer_uid"), event.get("_host")
    return (
        shown(event.get("_ts"), utc),
        f"{uid}@{host}" if host else user_of_row(uid),
        str(event.get("session_id") or "")[:8],
        str(event.get("agent_type") or event.get("agent_id") or ""),
    )


def about(event: dict[str, Any]) -> dict[str, Any]:
    """The same for other programs."""
    names = {"id": "_id", "time": "_ts", "host": "_host", "uid": "_peer_uid", "session": "session_id"}
    names |= {"agent": "agent_id", "agent_type": "agent_type", "tool": "tool_name", "project": "cwd"}
    return {name: event[field] for name, field in names.items() if event.get(field) is not None}
