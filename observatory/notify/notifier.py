"""From a feed's news to messages: what has changed, told once, when it may be told, and only if it is still so."""

from __future__ import annotations

import threading
import time
from datetime import datetime
from typing import TYPE_CHECKING, Final, NoReturn

from observatory.errors import ObservatoryError
from observatory.notify.message import compose
from observatory.notify.occasions import Occasions

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from observatory.feed.feed import Feed
    from observatory.notify.channels import Channel
    from observatory.notify.message import Message
    from observatory.notify.occasions import Kind
    from observatory.notify.schedule import Schedule


LONGEST: Final = 60.0
"""Seconds after which the time of day is looked at again: somebody may have set the clock, or the machine slept."""
AT_ONCE: Final = 60.0
"""Seconds: of a server that comes back with another database, what is older is history."""


class Notifier:
    """Tells what happens from now on. `show` is given each message, `complain` each sentence about what went wrong."""

    def __init__(
        self,
        feed: Feed,
        kinds: frozenset[Kind],
        schedule: Schedule,
        channels: Sequence[Channel],
        show: Callable[[Message], None],
        complain: Callable[[str], None],
    ) -> None:
        self._feed = feed
        self._schedule = schedule
        self._channels = channels
        self._show = show
        self._complain = complain
        self._news = threading.Event()
        self._place = self._version = self._generation = 0
        self._trouble: str | None = None
        self._occasions = Occasions(kinds, feed.source.newest())

    def run(self) -> NoReturn:
        """Tell, for ever."""
        self._feed.listen(self._news.set)
        self._feed.start()
        while True:
            pause = self._schedule.pause(time.monotonic(), datetime.now())
            self._news.wait(None if pause is None else min(pause, LONGEST))
            self._news.clear()
            self._read()
            if self._schedule.pause(time.monotonic(), datetime.now()) == 0.0:
                self._tell()

    def _read(self) -> None:
        news = self._feed.news(self._place, self._version, self._generation)
        if news.fresh:
            old = (time.time() - AT_ONCE) * 1000
            self._occasions.start_over(max((row.place for row in news.rows if row.time < old), default=0))
        self._place, self._version, self._generation = news.place, news.version, news.generation
        self._schedule.add(self._occasions.take(news.rows, news.cards), time.monotonic())
        state = self._feed.state
        if state.trouble != self._trouble:
            self._trouble = state.trouble
            if state.trouble is not None:
                self._complain(state.trouble)

    def _tell(self) -> None:
        found = [occasion for occasion in self._schedule.take() if self._occasions.still(occasion)]
        if found:
            send(compose(found), self._channels, self._show, self._complain)


def send(
    message: Message, channels: Sequence[Channel], show: Callable[[Message], None], complain: Callable[[str], None]
) -> bool:
    """Show a message and send it on all channels; whether each took it."""
    show(message)
    good = True
    for channel in channels:
        try:
            channel.send(message)
        except ObservatoryError as error:
            complain(f"{type(channel).__name__.lower()}: {error}")
            good = False
    return good
