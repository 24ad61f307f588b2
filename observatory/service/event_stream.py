"""An answer to `GET /events`: found bit by bit, so that no reading holds anyone up."""

from __future__ import annotations

from enum import Enum
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

import msgspec

from observatory.http.responses import answer, chunk, stream_head

if TYPE_CHECKING:
    from observatory.events import Event
    from observatory.store import Query, Store

CONTENT_TYPE: Final = "application/x-ndjson"
_NO_END: Final = 1 << 62


class Wish(msgspec.Struct, frozen=True):
    """What a reader asks for, within what it may see."""

    query: Query
    after: int | None = None
    """Only events with a higher id, from the oldest on; None: from the start, or with a limit only the newest."""
    limit: int | None = None
    follow: bool = False
    """Go on with what comes."""


class Phase(Enum):
    """How far the answer has come."""

    SEEKING = 1
    """Looking for the first of the newest events."""
    READING = 2
    LIVE = 3
    """Everything stored is said; what comes is said as it comes."""
    DONE = 4


class EventStream:
    """One answer. `more` is asked for whenever the last piece is gone, `offer` tells of what was just committed."""

    __slots__ = ("_begun", "_chunks", "_keep_alive", "_last", "_left", "_matches", "_seen", "_store", "_wish", "phase")

    def __init__(self, store: Store, wish: Wish, *, keep_alive: bool, chunks: bool) -> None:
        self._store = store
        self._wish = wish
        self._matches = wish.query.predicate()
        self._keep_alive = keep_alive
        self._chunks = chunks
        self._begun = False
        self._last = store.last_id
        """A finite answer ends here: what is committed while it's given isn't in it."""
        self._left = _NO_END if wish.limit is None else wish.limit
        if wish.after is None and wish.limit is not None:
            self.phase = Phase.SEEKING
            self._seen = store.last_id + 1
        else:
            self.phase = Phase.READING
            self._seen = wish.after or 0

    @property
    def follows(self) -> bool:
        """Whether it goes on with what comes."""
        return self._wish.follow

    def more(self) -> bytes:
        """The next piece of the response; may be empty while it's still looking."""
        if self.phase is Phase.SEEKING:
            self._seek()
        if self.phase is not Phase.READING:
            return self._framed([])
        through = self._store.last_id if self.follows else self._last
        rows = self._store.forward(self._wish.query, self._seen, through, self._left)
        self._seen = rows.seen
        self._left -= len(rows.lines)
        if self._left <= 0 or (self._seen >= through and not self.follows):
            self.phase = Phase.DONE
        elif self._seen >= through:
            self.phase = Phase.LIVE
        return self._framed(rows.lines)

    def offer(self, events: list[Event]) -> bytes:
        """What there is to say of events just committed, if it's live; empty for none."""
        lines = []
        for event in events:
            if self._left > 0 and event.id > self._seen and self._matches(event):
                lines.append(event.line)
                self._left -= 1
        self._seen = max(self._seen, events[-1].id)
        if self._left <= 0:
            self.phase = Phase.DONE
        return self._framed(lines)

    def fall_behind(self) -> None:
        """It is live, and is not going to be told what comes: `more` has that."""
        self.phase = Phase.READING

    def end(self) -> bytes:
        """End it now, as if there were no more."""
        self.phase = Phase.DONE
        return self._framed([])

    def _seek(self) -> None:
        if self._left > 0:
            found = self._store.backward(self._wish.query, self._seen, self._left)
            self._seen = found.seen
            self._left -= len(found.ids)
            if self._left > 0 and self._seen > 1:
                return
            self._seen -= 1
        else:
            self._seen = self._store.last_id
        # The limit was for the past: what is found is all wanted, and so is what comes.
        self._left = _NO_END
        self.phase = Phase.READING

    def _framed(self, lines: list[bytes]) -> bytes:
        body = b"\n".join([*lines, b""])
        if not self._begun:
            if self.phase is Phase.DONE:
                self._begun = True
                return answer(HTTPStatus.OK, body, keep_alive=self._keep_alive, content_type=CONTENT_TYPE)
            if not body and self.phase is not Phase.LIVE:
                return b""
            self._begun = True
            head = stream_head(CONTENT_TYPE, keep_alive=self._keep_alive, chunks=self._chunks)
        else:
            head = b""
        if not self._chunks:
            return head + body
        return b"".join([head, chunk(body) if body else b"", chunk(b"") if self.phase is Phase.DONE else b""])
