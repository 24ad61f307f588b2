"""What is worth telling: the changes of sessions' states, and failures. Pure: rows and cards in, occasions out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from observatory.feed.cards import Card
    from observatory.feed.row import Row

Kind = Literal["waits", "finished", "failed", "tool-failed", "ended", "died"]
KINDS: Final[tuple[Kind, ...]] = ("waits", "finished", "failed", "tool-failed", "ended", "died")
"""waits: for permission or for an answer. finished: its turn is over. failed: its turn ended by an error.
tool-failed: a tool did. ended: it said so itself. died: the kernel reported the end of its process."""
USUAL: Final[tuple[Kind, ...]] = ("waits", "finished", "failed", "died")
"""What is told unless somebody asks for something else."""
_STATES: Final[dict[str, Kind]] = {
    "waiting for permission": "waits",
    "waiting for an answer": "waits",
    "idle": "finished",
    "ended": "ended",
    "dead": "died",
}
_FAILURES: Final[dict[str, Kind]] = {"StopFailure": "failed", "PostToolUseFailure": "tool-failed"}
Key = tuple[str | None, int | None, str]
"""A session: its host, `None` for this one, its user's uid and its id."""


@dataclass(frozen=True, slots=True)
class Occasion:
    """Something to tell of a session. `what` is what it asks, does or died of; `time` is milliseconds since the epoch.

    `since` is when the session came into the state that is told of, `None` for what is no state.
    """

    kind: Kind
    session: Key
    user: str
    project: str
    what: str
    time: int
    since: int | None


class Occasions:
    """The occasions of a feed's news, from a place on."""

    def __init__(self, kinds: frozenset[Kind], after: int) -> None:
        self._kinds = kinds
        self._after = after
        self._states: dict[Key, tuple[str, int]] = {}

    def start_over(self, after: int) -> None:
        """The events are another database's from now on, and those up to that place are history."""
        self._states.clear()
        self._after = after

    def take(self, rows: Sequence[Row], cards: Sequence[Card]) -> list[Occasion]:
        """What these rows, and these cards of their sessions, give to tell."""
        fresh = [row for row in rows if row.place > self._after]
        sessions = {(row.host, row.uid, row.session) for row in fresh}
        found = [occasion for row in fresh if (occasion := _failure(row)) is not None]
        failed = {occasion.session for occasion in found if occasion.kind == "failed"}
        for card in cards:
            key = (card.host, card.uid, card.session)
            before = self._states.get(key)
            self._states[key] = (card.state, card.since)
            kind = _STATES.get(card.state)
            if key not in sessions or kind is None or before == (card.state, card.since):
                continue
            if kind == "finished" and key in failed:
                continue  # its failure is told
            found.append(Occasion(kind, key, card.user, card.project, _what(card), card.last, card.since))
        return [occasion for occasion in found if occasion.kind in self._kinds]

    def still(self, occasion: Occasion) -> bool:
        """Whether what it tells is so now: a wait may be over before anybody was told of it."""
        if occasion.since is None:
            return True
        state, since = self._states.get(occasion.session, ("", 0))
        return _STATES.get(state) == occasion.kind and since == occasion.since


def _failure(row: Row) -> Occasion | None:
    kind = _FAILURES.get(row.event)
    if kind is None or not row.session:
        return None
    what = f"{row.tool}: {row.what}" if row.tool else row.what
    return Occasion(kind, (row.host, row.uid, row.session), row.user, row.project, what, row.time, None)


def _what(card: Card) -> str:
    if card.question:
        return card.question
    if card.state == "waiting for permission":
        words = f"{card.tool}: {card.what}" if card.tool else card.what
        return f"{words} ({card.agent})" if card.agent else words
    return card.what
