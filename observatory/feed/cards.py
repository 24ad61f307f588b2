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


class _Tale:
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
        self._tales: OrderedDict[tuple[str | None, int | None, str], _Tale] = OrderedDict()
        self.version = 0
        """Grows with every change."""

    def add(self, line: Row, event: dict[str, Any]) -> None:
        """Take note of an event, which is `line` in short."""
        if not line.session:
            return
        key = (line.host, line.uid, line.session)
        tale = self._tales.get(key)
        if tale is None:
            tale = self._tales[key] = _Tale(line)
            if len(self._tales) > MOST:
                self._tales.popitem(last=False)
        else:
            self._tales.move_to_end(key)
        tale.last = line
        tale.what = line.what or tale.what
        tale.events += 1
        tale.tail.append(_short(event, line.session))
        tale.stale = True
        self.version += 1
        tale.version = self.version

    def since(self, version: int) -> list[Card]:
        """The cards that have changed after that version, the latest last; all of them for 0."""
        found = []
        for tale in reversed(self._tales.values()):
            if tale.version <= version:
                break  # whatever changes is moved to the end
            found.append(tale.card if tale.card is not None and not tale.stale else _card(tale))
        found.reverse()
        return found


def _card(tale: _Tale) -> Card:
    told = sessions(tale.tail)[0]
    before, last = tale.card, tale.last
    same = before is not None and (before.state, before.tool) == (told.state, told.tool or "")
    tale.card = Card(
        host=last.host,
        uid=last.uid,
        user=last.user,
        session=last.session,
        state=told.state,
        tool=told.tool or "",
        project=told.project or "",
        started=tale.first.time,
        since=before.since if before is not None and same else last.time,
        last=last.time,
        event=last.event,
        what=tale.what,
        events=tale.events,
        pid=told.pid,
    )
    tale.stale = False
    return tale.card


def _short(event: dict[str, Any], session: str) -> dict[str, Any]:
    short = {
        key: value
        for key, value in event.items()
        if value is None or isinstance(value, (bool, int, float)) or (isinstance(value, str) and len(value) <= LONGEST)
    }
    short["session_id"] = session
    return short
