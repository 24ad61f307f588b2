"""The screen: sessions on the left, events on the right, one event opened on top."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, ClassVar, Final

from rich.cells import cell_len, set_cell_size
from rich.markup import escape
from rich.text import Text
from textual import work
from textual.app import App
from textual.binding import Binding
from textual.containers import Horizontal, Vertical
from textual.widgets import Footer, Input, OptionList, Sparkline, Static
from textual.widgets.option_list import Option

from observatory.feed.find import read_filter
from observatory.feed.search import steps
from observatory.feed.source import SourceError
from observatory.feed.times import now as time_now
from observatory.sessions.state import is_old
from observatory.text import printable
from observatory.watch.details import Details
from observatory.watch.event_list import NARROW, EventList
from observatory.watch.session_text import ORDER, headline, mood, span, state_words
from observatory.watch.window import Window

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.events import Resize

    from observatory.feed.cards import Card
    from observatory.feed.feed import Feed
    from observatory.feed.find import Filter

BEAT: Final = 0.1
"""Seconds between two looks for news."""
PAUSE: Final = 3
"""Beats without a key after which whole events are looked through."""
SHOWN: Final = 100
"""Sessions that are shown."""
PULSE: Final = 10 * 60 * 1000
"""Milliseconds that the pulse shows."""

MOODS: Final = {"waiting": "bold yellow", "working": "bold blue", "idle": "green", "over": "bright_black"}


class WatchApp(App[None]):
    """The whole of it."""

    TITLE = "Observatory"
    ENABLE_COMMAND_PALETTE = False
    CSS = """
    Screen { background: $background; }
    #head { height: 1; padding: 0 1; }
    #sessions, #find, #events { border-title-color: $text-muted; scrollbar-size-vertical: 1; }
    #sessions { width: 38; height: 1fr; border: round $foreground 25%; padding: 0 1; background: $background; }
    #sessions:focus { border: round $accent; }
    #right { width: 1fr; }
    #pulse { height: 2; margin: 0 1; }
    #find { border: round $foreground 25%; height: 3; background: $background; }
    #find:focus { border: round $accent; }
    #events { border: round $foreground 25%; height: 1fr; width: 100%; background: $background; }
    #events:focus { border: round $accent; }
    #details { width: 90%; height: 90%; border: round $accent; padding: 1 2; background: $surface; }
    #proved { border: round $success; height: auto; padding: 0 1; }
    #claimed { border: dashed $warning; height: auto; padding: 0 1; margin-top: 1; }
    Details { align: center middle; }
    .narrow #sessions { display: none; }
    """
    BINDINGS: ClassVar = [
        Binding("slash", "find", "Find"),
        Binding("p", "pause", "Pause"),
        Binding("s", "sessions", "Sessions"),
        Binding("o", "old", "Old sessions"),
        Binding("escape", "everything", "Clear", show=False),
        Binding("q", "quit", "Quit"),
    ]

    def __init__(self, feed: Feed, utc: bool = False) -> None:
        super().__init__()
        self.feed = feed
        self.utc = utc
        self.window = Window()
        self.cards: dict[tuple[str | None, int | None, str], Card] = {}
        self._point = (0, 0, 0)
        self._users: set[str] = set()
        self._stale_cards = True
        self._beats = 0
        self._listed: list[Card] = []
        self._with_old = False
        self._typed = 0
        """The beat in which the filter was last changed."""
        self._searched = 0
        """The place up to which events were looked through for the filter's words."""
        self._searching = False

    def compose(self) -> ComposeResult:
        """The parts of the screen."""
        yield Static(id="head")
        with Horizontal():
            yield OptionList(id="sessions", markup=False)
            with Vertical(id="right"):
                yield Sparkline([0.0], id="pulse")
                yield Input(placeholder="Find: npm test tool=Bash event=Stop session=4f2a since=1h", id="find")
                yield EventList(self.window, self.utc)
        yield Footer()

    def on_mount(self) -> None:
        """Begin."""
        self.query_one("#sessions").border_title = "Sessions"
        self.query_one(EventList).focus()
        self.beat()
        self.set_interval(BEAT, self.beat)

    def on_resize(self, event: Resize) -> None:
        """A narrow terminal shows events only."""
        self.screen_stack[0].set_class(event.size.width < NARROW, "narrow")  # also under an event that is open

    def beat(self) -> None:
        """Take the news, and draw what has changed."""
        self._beats += 1
        place, version, generation = self._point
        news = self.feed.news(place, version, generation)
        self._point = (news.place, news.version, news.generation)
        if news.fresh or news.gap:
            self.window.clear()
        if news.fresh:
            self.cards.clear()
        self.window.append(news.rows)
        self._users.update(row.user if row.host is None else f"{row.user}@{row.host}" for row in news.rows)
        for card in news.cards:
            self.cards[(card.host, card.uid, card.session)] = card
            self._stale_cards = True
        if news.rows or news.fresh:
            self._draw_events()
        self._search_on()
        if self._beats % 10 == 1 or (self._stale_cards and self._beats % 3 == 0):
            self._draw_rest()

    def _draw_events(self) -> None:
        events = self.query_one(EventList)
        events.several_users = len(self._users) > 1
        shown = f"{len(self.window):,}" + (f" of {self.window.total:,}" if self.window.filter else "")
        waiting = self.window.waiting
        trouble = self.window.filter.trouble
        events.border_title = f"Events {shown}" + (
            f": {escape(printable(trouble))}" if trouble and not len(self.window) else ""
        )
        events.border_subtitle = f"\u2191 {waiting:,} newer" if waiting else ""
        events.show()

    def _draw_rest(self) -> None:
        now = time.time_ns() // 1_000_000
        state = self.feed.state
        light = ("\u25cf ", "green" if state.live else "red") if not self.window.paused else ("\u2016 ", "yellow")
        words = headline(self.cards.values()) if state.live else (state.trouble or "Looking\u2026")
        self.query_one("#head", Static).update(
            Text.assemble(light, "Paused. " if self.window.paused else "", (printable(words), "bold"))
        )
        if self.window.paused:
            return
        self._draw_cards(now)
        bars = max(10, self.query_one(EventList).size.width - 2)
        width = max(1, PULSE // bars)
        self.query_one(Sparkline).data = [float(n) for n in self.window.counts(now - bars * width, width, bars)]

    def _draw_cards(self, now: int) -> None:
        self._stale_cards = False
        sessions = self.query_one("#sessions", OptionList)
        recent = [card for card in self.cards.values() if self._with_old or not is_old(card.state, card.last, now)]
        cards = sorted(recent, key=lambda card: (ORDER.index(mood(card)), -card.last))[:SHOWN]
        hidden = len(self.cards) - len(recent)
        sessions.border_subtitle = f"{hidden} old: o" if hidden else ""
        highlighted, top = sessions.highlighted, sessions.scroll_y
        sessions.clear_options()
        sessions.add_options([Option(self._card(card, now)) for card in cards])
        if highlighted is not None and cards:
            sessions.highlighted = min(highlighted, len(cards) - 1)
        sessions.scroll_to(y=top, animate=False)
        self._listed = cards

    def _card(self, card: Card, now: int) -> Text:
        which = mood(card)
        project = card.project.rstrip("/").rpartition("/")[2] or card.session[:8]
        who = card.user if card.host is None else f"{card.user}@{card.host}"
        room = max(10, self.query_one("#sessions").scrollable_content_region.width - 4)
        foot = [
            *([who] if len(self._users) > 1 else []),
            f"{span(now - card.started)} old",
            f"{card.events} event{'s' * (card.events != 1)}",
        ]
        return Text.assemble(
            ("\u25cf ", MOODS[which]),
            (printable(project), "bold"),
            ("  " + span(now - card.since), "dim"),
            ("\n  " + printable(state_words(card, now)), MOODS[which]),
            ("\n  " + _fitting(printable(card.what or card.event), room), ""),
            ("\n  " + _fitting(printable(" \u00b7 ".join(foot)), room), "dim"),
        )

    def on_input_changed(self, event: Input.Changed) -> None:
        """Filter while it is written."""
        self.window.choose(read_filter(event.value, time_now(self.utc)))
        self._typed, self._searched = self._beats, 0
        self.query_one(EventList).scroll_to(y=0, animate=False)
        self._draw_events()

    def _search_on(self) -> None:
        """Look through the events that have come since the last look: their rows have not all that is in them."""
        after, through = self.window.places
        after = max(after, self._searched)
        if self._searching or self._beats - self._typed < PAUSE or not self.window.filter.words:
            return
        if through > after and self.feed.state.live:
            self._searching = True
            self.search(self.window.filter, after, through)

    @work(thread=True)
    def search(self, wanted: Filter, after: int, through: int) -> None:
        """Look for the filter's words in events, the newest first, until there is another filter."""
        try:
            for places in steps(self.feed.source, wanted.words, after, through):
                if self.window.filter is not wanted:
                    break
                if places:
                    self.call_from_thread(self._show_found, wanted, places)
        except SourceError:
            through = after  # what is wrong is said at the head of the screen; once it is well, this is looked at again
        self.call_from_thread(self._end_search, wanted, through)

    def _show_found(self, wanted: Filter, places: list[int]) -> None:
        if self.window.filter is wanted:
            self.window.found(places)
            self._draw_events()

    def _end_search(self, wanted: Filter, through: int) -> None:
        self._searching = False
        if self.window.filter is wanted:
            self._searched = through

    def on_input_submitted(self) -> None:
        """To the list."""
        self.query_one(EventList).focus()

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Show the events of one session."""
        card = self._listed[event.option_index]
        self.query_one("#find", Input).value = f"session={card.session}"
        self.query_one(EventList).focus()

    def on_event_list_opened(self, event: EventList.Opened) -> None:
        """Show one event whole."""
        self.push_screen(Details(event.row, self.feed.source, self.utc))

    def action_find(self) -> None:
        """To the filter."""
        self.query_one("#find", Input).focus()

    def action_sessions(self) -> None:
        """To the sessions."""
        self.query_one("#sessions").focus()

    def action_old(self) -> None:
        """Show sessions of which nothing was heard for long too, or no more."""
        self._with_old = not self._with_old
        self._draw_rest()

    def action_pause(self) -> None:
        """Hold everything still, or go on."""
        self.window.pause(not self.window.paused)
        self._draw_events()
        self._draw_rest()

    def action_everything(self) -> None:
        """Away with the filter, and to the list."""
        self.query_one("#find", Input).value = ""
        self.query_one(EventList).focus()


def _fitting(text: str, room: int) -> str:
    """The text, cut to so many columns of the terminal."""
    return text if cell_len(text) <= room else set_cell_size(text, room - 1) + "\u2026"
