"""Each session's card, brought up to date event by event in bounded memory.

The state is `observatory.sessions.state`' word. It reads a session's events from their beginning; a session may run for
weeks, so what is given to it here is the last `TAIL` events of each, without their long values. So much is enough to
know what runs and what is waited for.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import TYPE_CHECKING, Any, Final

import msgspec

from observatory.sessions.state import sessions

if TYPE_CHECKING:
    from observatory.feed.row import Row

TAIL: Final = 128
"""Events of one session that are remembered."""
MOST: Final = 1000
"""Sessions that are remembered; with one more, the one that has been silent for the longest is forgotten."""
LONGEST: Final = 1024
"""Characters of a value that may tell something about a session's state."""


class Card(msgspec.Struct, frozen=True):
    """One session as a person wants to see it. Times are milliseconds since the epoch, UTC.

    `since` is when the session came into its state. `what` is the summary of the last event that had one, `event`
    the name of the last event. `pid` is known of a dead session only.
    """

    host: str | None
    uid: int | None
    user: str
    session: str
    state: str
    tool: str
    project: str
    started: int
    since: int
    last: int
    event: str
    what: str
    events: int
    pid: int | None


class _SeenSession:
    """What is kept of a session for its card."""

    __slots__ = ("card", "events", "first", "last", "stale", "tail", "version", "what")

    def __init__(self, first: Row) -> None:
        self.first = first
        self.last = first
        self.what = ""
        self.events = 0
        self.tail: deque[dict[str, Any]] = deque(maxlen=TAIL)
        self.version = 0
        self.card: Card | None = None
        self.stale = True


class Cards:
    """All sessions, the latest last. Not for several threads at once."""

    def __init__(self) -> None:
        self._sessions: OrderedDict[tuple[str | None, int | None, str], _SeenSession] = OrderedDict()
        self.version = 0
        """Grows with every change."""

    def add(self, line: Row, event: dict[str, Any]) -> None:
        """Take note of an event, which is `line` in short."""
        if not line.session:
            return
        key = (line.host, line.uid, line.session)
        seen = self._sessions.get(key)
        if seen is None:
            seen = self._sessions[key] = _SeenSession(line)
            if len(self._sessions) > MOST:
                self._sessions.popitem(last=False)
        else:
            self._sessions.move_to_end(key)
        seen.last = line
        seen.what = line.what or seen.what
        seen.events += 1
        seen.tail.append(_short(event, line.session))
        seen.stale = True
        self.version += 1
        seen.version = self.version

    def since(self, version: int) -> list[Card]:
        """The cards that have changed after that version, the latest last; all of them for 0."""
        found = []
        for seen in reversed(self._sessions.values()):
            if seen.version <= version:
                break  # whatever changes is moved to the end
            found.append(seen.card if seen.card is not None and not seen.stale else _card(seen))
        found.reverse()
        return found


def _card(seen: _SeenSession) -> Card:
    told = sessions(seen.tail)[0]
    before, last = seen.card, seen.last
    same = before is not None and (before.state, before.tool) == (told.state, told.tool or "")
    seen.card = Card(
        host=last.host,
        uid=last.uid,
        user=last.user,
        session=last.session,
        state=told.state,
        tool=told.tool or "",
        project=told.project or "",
        started=seen.first.time,
        since=before.since if before is not None and same else last.time,
        last=last.time,
        event=last.event,
        what=seen.what,
        events=seen.events,
        pid=told.pid,
    )
    seen.stale = False
    return seen.card


def _short(event: dict[str, Any], session: str) -> dict[str, Any]:
    short = {
        key: value
        for key, value in event.items()
        if value is None or isinstance(value, (bool, int, float)) or (isinstance(value, str) and len(value) <= LONGEST)
    }
    short["session_id"] = session
    return short
