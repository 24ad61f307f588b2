"""The states of a connection, and what moves it from one to the next: all of it, in one table.

The manner is h11's (`_state.py`): the code says what has happened, and the table says what that means. What it lacks
can't happen (`Connections.move`). A connection is listed where its state says, and nowhere else:

========== =============================== ================== ==========
state      whose turn it is                listed in          deadline
========== =============================== ================== ==========
NEW        the server's                    `arrived`
READING    the peer's, to say more                            yes
QUEUED     the server's                    `queued`
WAITING    the server's, within the turn   `pending`
ANSWERING  the peer's, to take more                           yes (1)
STREAMING  the server's                    `streaming`
FOLLOWING  events', as they come           `following`
DRAINING   the peer's, to be done                             yes
CLOSED     nobody's
========== =============================== ================== ==========

(1) Who follows may take what waits for it whenever it likes: it's dropped if that becomes too much.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True, eq=False)
class State:
    """What a connection is doing. Each is itself and no other: to look one up takes no longer than to look at it."""

    name: str


@dataclass(frozen=True, slots=True, eq=False)
class Occasion:
    """What happens to a connection."""

    name: str


NEW: Final = State("NEW")
"""It was accepted, and what it says has not been looked at."""
READING: Final = State("READING")
"""Nothing that it has said is unanswered, but for a request that isn't whole yet."""
QUEUED: Final = State("QUEUED")
"""It has said more than one turn takes."""
WAITING: Final = State("WAITING")
"""Events of its are to be committed, and answered then."""
ANSWERING: Final = State("ANSWERING")
"""It hasn't taken all of an answer yet."""
STREAMING: Final = State("STREAMING")
"""It's given an answer to `GET /events`, piece by piece."""
FOLLOWING: Final = State("FOLLOWING")
"""It was told all that is stored, and is told what comes."""
DRAINING: Final = State("DRAINING")
"""It was told why it can't be served, and what it still sends is thrown away."""
CLOSED: Final = State("CLOSED")

READ: Final = Occasion("READ")
"""Its first bytes are not known, or have not come."""
HOOK: Final = Occasion("HOOK")
"""A hook is whole: there is an event to commit."""
ANSWER: Final = Occasion("ANSWER")
"""Something is to be said at once: to another request, `100 Continue`, or why it's refused."""
STREAM: Final = Occasion("STREAM")
"""A piece of a stream is to be found."""
DEFER: Final = Occasion("DEFER")
"""The rest of what it has said is for the next turn."""
RESUME: Final = Occasion("RESUME")
"""Its next turn has come."""
SENT: Final = Occasion("SENT")
"""The kernel took all that there was to say."""
BLOCKED: Final = Occasion("BLOCKED")
"""The kernel takes no more of it now."""
LIVE: Final = Occasion("LIVE")
"""All that is stored was said."""
DRAIN: Final = Occasion("DRAIN")
"""The kernel took all of a refusal."""
CLOSE: Final = Occasion("CLOSE")
"""All was said, the peer has gone or took too long, its user has too much, or the server ends."""

TRANSITIONS: Final[Mapping[State, Mapping[Occasion, State]]] = {
    NEW: {
        READ: READING,  # requests, which goes on by the plain path
        HOOK: WAITING,  # requests, by the fast path
        CLOSE: CLOSED,  # acceptor: its user has too many, or too much; requests: it was reset; the server ends
    },
    READING: {
        HOOK: WAITING,  # requests
        ANSWER: ANSWERING,  # requests
        STREAM: STREAMING,  # streaming
        DEFER: QUEUED,  # requests; and whoever has said all of an answer before, if there is more to take up
        CLOSE: CLOSED,  # requests: it says no more; whoever has said all of its last answer; and as all below
    },
    QUEUED: {
        RESUME: READING,  # requests
        CLOSE: CLOSED,  # server: the time for its end is over
    },
    WAITING: {
        HOOK: WAITING,  # requests: one after the other
        SENT: READING,  # commit
        BLOCKED: ANSWERING,  # commit
        CLOSE: CLOSED,  # commit: that was its last answer, or it has gone
    },
    ANSWERING: {
        SENT: READING,  # requests
        STREAM: STREAMING,  # requests: what had to wait was a piece of a stream
        DRAIN: DRAINING,  # requests: it was a refusal
        CLOSE: CLOSED,  # requests: it has gone; its time is over; its user has too much
    },
    STREAMING: {
        SENT: READING,  # streaming: that was the last piece
        BLOCKED: ANSWERING,  # streaming
        LIVE: FOLLOWING,  # streaming
        CLOSE: CLOSED,  # streaming: it has gone
    },
    FOLLOWING: {
        SENT: READING,  # streaming: it has as many as it wanted, or the server ends
        BLOCKED: ANSWERING,  # streaming: the same, or as below, and it hasn't taken what it was told
        STREAM: STREAMING,  # streaming: its user's followers have been told as much as a turn allows
        CLOSE: CLOSED,  # streaming: it has gone, or leaves too much unread
    },
    DRAINING: {
        CLOSE: CLOSED,  # requests: it has gone, or doesn't stop; its time is over
    },
    CLOSED: {},
}
"""Who moves a connection from what to what, and on which occasion."""

TIMED: Final = frozenset({READING, ANSWERING, DRAINING})
"""The states in which it's the peer's turn, and its time is limited."""
