"""Each session's card, brought up to date event by event in bounded memory.

The state is `observatory.sessions.state`' word, which reads a session's events one by one.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Final

import msgspec

from observatory.feed.row import milliseconds
from observatory.sessions.state import SessionReader

if TYPE_CHECKING:
    from observatory.feed.row import Row

MOST: Final = 1000
"""Sessions that are remembered; with one more, the one that has been silent for the longest is forgotten."""


class Card(msgspec.Struct, frozen=True):
    """One session as a person wants to see it. Times are milliseconds since the epoch, UTC.

    `since` is when the session came into its state. `what` is the summary of the last event that had one, `event`
    the name of the last event. `agent` is the type of the subagent that runs or wants the tool, `question` what is
    asked, `background` how many tasks the last turn left running. `pid` is known of a dead session only.
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
    agent: str
    question: str
    background: int


class _SeenSession:
    """What is kept of a session for its card."""

    __slots__ = ("card", "events", "first", "last", "reader", "stale", "version", "what")

    def __init__(self, first: Row, started: str) -> None:
        self.reader = SessionReader(first.uid, first.session, started)
        self.first = first
        self.last = first
        self.what = ""
        self.events = 0
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
            seen = self._sessions[key] = _SeenSession(line, str(event.get("_ts")))
            if len(self._sessions) > MOST:
                self._sessions.popitem(last=False)
        else:
            self._sessions.move_to_end(key)
        seen.last = line
        seen.what = line.what or seen.what
        seen.events += 1
        seen.reader.read(event)
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
    told, last = seen.reader.session(), seen.last
    seen.card = Card(
        host=last.host,
        uid=last.uid,
        user=last.user,
        session=last.session,
        state=told.state,
        tool=told.tool or "",
        project=told.project or "",
        started=seen.first.time,
        since=milliseconds(told.since),
        last=last.time,
        event=last.event,
        what=seen.what,
        events=seen.events,
        pid=told.pid,
        agent=told.agent or "",
        question=told.question or "",
        background=told.background,
    )
    seen.stale = False
    return seen.card
