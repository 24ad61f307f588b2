"""How a session is put into words on a screen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from observatory.sessions.state import is_silent

if TYPE_CHECKING:
    from collections.abc import Iterable

    from observatory.feed.cards import Card

Mood = Literal["waiting", "working", "idle", "over"]
ORDER: Final[tuple[Mood, ...]] = ("waiting", "working", "idle", "over")


QUESTION: Final = 60
"""Characters of a question that are shown."""


def mood(card: Card) -> Mood:
    """What a session's state means to its user."""
    if card.state.startswith("waiting"):
        return "waiting"
    if card.state in {"working", "running a tool"}:
        return "working"
    return "over" if card.state in {"ended", "dead"} else "idle"


def state_words(card: Card, now: int) -> str:
    """A session's state in a few words, and that nothing was heard for long: the client says nothing at Esc."""
    words = _words(card)
    if card.agent:
        words += f" ({card.agent})"
    if card.state == "idle" and card.background:
        words += f", {card.background} in the background"
    return words + (f", no news for {span(now - card.last)}" if is_silent(card.state, card.last, now) else "")


def _words(card: Card) -> str:
    match card.state:
        case "running a tool":
            return f"Running {card.tool or 'a tool'}"
        case "waiting for permission":
            return f"Asks to use {card.tool}" if card.tool else "Asks for permission"
        case "waiting for an answer":
            return f"Asks: {card.question[:QUESTION]}" if card.question else "Waits for your answer"
        case "working":
            return "Thinking"
        case "fresh":
            return "Just started"
        case "dead":
            return "Died" if card.pid is None else f"Died (process {card.pid})"
        case state:
            return state.capitalize()


def headline(cards: Iterable[Card]) -> str:
    """What all agents are doing, in one sentence."""
    tally = dict.fromkeys(ORDER, 0)
    for card in cards:
        tally[mood(card)] += 1
    waiting, working, idle = tally["waiting"], tally["working"], tally["idle"]
    parts = []
    if waiting:
        parts.append("One agent waits for you" if waiting == 1 else f"{waiting} agents wait for you")
    if working:
        agents = "One agent is" if working == 1 else f"{working} agents are"
        parts.append(f"{working} at work" if waiting else f"{agents} at work")
    if not parts:
        return "All is quiet."
    if idle:
        parts.append(f"{idle} idle")
    return ", ".join(parts) + "."


def span(milliseconds: int) -> str:
    """How long, roughly: `12s`, `3m`, `2h`, `5d`."""
    seconds = max(0, milliseconds // 1000)
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= size:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"
