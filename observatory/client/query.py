"""What a person asks about events, in the same words everywhere: when, which events, tools and sessions.

An empty answer to a name that nobody has is no answer. So a name that is neither known nor recorded is refused, with
the nearest that is.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, Protocol

from observatory.errors import ExitStatus, ObservatoryError
from observatory.hooks import event_names, tool_names
from observatory.sessions.state import DEAD
from observatory.text import TIMES, nearest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from observatory.client.client import Parameters

KNOWN: Final[Mapping[str, tuple[str, ...]]] = {"event": (*event_names.ALL, DEAD), "tool": tool_names.ALL}
"""The names of events and of tools that are known before any was recorded."""
_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_MCP: Final = "mcp__"


class Events(Protocol):
    """Who has events: a server, or the hosts on a NATS."""

    def lines(self, parameters: Parameters) -> Iterator[bytes]:
        """The events that these parameters of `/events` select. Raises ObservatoryError."""
        ...


def instant(text: str, now: datetime) -> datetime:
    """The time that a person means: so long before now (`90s`, `15m`, `1h`, `2d`, `1w`), the beginning of a day
    (`today`, `yesterday`, `2026-01-31`), or a date with a time of day, in `now`'s time zone unless it says another.

    Raises ValueError, with a sentence, for anything else.
    """
    word = text.strip().lower()
    if (ago := re.fullmatch(r"([0-9]{1,9})([smhdw])", word)) is not None:
        try:
            return now - timedelta(seconds=int(ago[1]) * _UNITS[ago[2]])
        except OverflowError:
            return datetime.min.replace(year=2, tzinfo=UTC)  # before everything, and a time in every zone
    if word in {"today", "yesterday"}:
        day = now.date() - timedelta(days=word == "yesterday")
        return _local(datetime(day.year, day.month, day.day), now)
    try:
        found = datetime.fromisoformat(text.strip().upper())
        found = found if found.tzinfo is not None else _local(found, now)
        found.astimezone(UTC)
    except OverflowError:
        raise ValueError(f"{text!r} is in no year from 1 to 9999 in UTC: say a time such as {TIMES}") from None
    except ValueError:
        raise ValueError(f"{text!r} is not a time such as {TIMES}") from None
    return found


def _local(time: datetime, now: datetime) -> datetime:
    """A time without a zone, in that of `now`. Where that is the machine's, its offset may be another on that day."""
    return time.replace(tzinfo=UTC) if now.tzinfo is UTC else time.astimezone()


def rfc3339(time: datetime) -> str:
    """As `since=` and `until=` of `/events` take it."""
    return time.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def named(
    server: Events, events: Sequence[str], tools: Sequence[str], sessions: Sequence[str], *, to_come: bool
) -> dict[str, list[str]]:
    """The parameters of `/events` for these names. A session's id may be given by its beginning.

    `to_come` says that what is not recorded yet is waited for, as far as it is known or a session.

    Raises ObservatoryError for an event or a tool that is neither known nor recorded, and for a session that no
    event is of.
    """
    for name in events:
        _known(server, "event", name)
    for name in tools:
        if not name.startswith(_MCP):
            _known(server, "tool", name)
    whole = [session for session in sessions if _any(server, {"session": session})]
    short = [session for session in sessions if session not in whole]
    for session in short:
        if not to_come and not _any(server, {"beginning": session}):
            raise ObservatoryError(
                f"there is no event, as far as you may see them, of a session whose id is or begins with {session!r}; "
                f"`observatory sessions` lists the sessions"
            )
    given = {"event": events, "tool": tools, "session": whole, "beginning": short}
    return {name: list(values) for name, values in given.items() if values}


def _known(server: Events, kind: str, name: str) -> None:
    if name in KNOWN[kind] or _any(server, {kind: name}):
        return
    raise ObservatoryError(unknown(kind, name), ExitStatus.USAGE)


def unknown(kind: str, name: str) -> str:
    """What to say of an event or a tool of a name that is neither known nor recorded: which is the nearest."""
    near = nearest(name, KNOWN[kind])
    hint = f"; did you mean {near}?" if near else ""
    return f"no {kind} {name!r} is known, and none was recorded{hint}"


def _any(server: Events, parameters: dict[str, str]) -> bool:
    return any(True for _ in server.lines({**parameters, "limit": "1"}))
