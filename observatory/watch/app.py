"""The screen: sessions on the left, events on the right, one event opened on top."""

from __future__ import annotations

import json
import time
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, Final

from rich.cells import set_cell_size
from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual import work
from textual.app import App
from textual.binding import Binding
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.geometry import Region, Size
from textual.message import Message
from textual.screen import ModalScreen
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.widgets import Footer, Input, OptionList, Sparkline, Static
from textual.widgets.option_list import Option

from observatory.client.client import group_name, user_name
from observatory.feed.row import Kind
from observatory.feed.source import SourceError
from observatory.text import printable
from observatory.watch.session_text import ORDER, headline, mood, span, state_words
from observatory.watch.window import Window, read_filter

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.events import Click, Resize

    from observatory.feed.cards import Card
    from observatory.feed.feed import Feed
    from observatory.feed.row import Row
    from observatory.feed.source import Source

BEAT: Final = 0.1
"""Seconds between two looks for news."""
SHOWN: Final = 100
"""Sessions that are shown."""
PULSE: Final = 10 * 60 * 1000
"""Milliseconds that the pulse shows."""
LONGEST: Final = 100_000
"""Characters of an event that are shown."""

COLOURS: Final = {
    Kind.OTHER: "bright_black",
    Kind.PROMPT: "magenta",
    Kind.TOOL: "blue",
    Kind.WAITING: "yellow",
    Kind.TURN: "green",
    Kind.SESSION: "cyan",
    Kind.FAILURE: "red",
}
MOODS: Final = {"waiting": "bold yellow", "working": "bold blue", "idle": "green", "over": "bright_black"}


class EventList(ScrollView, can_focus=True):
    """The events that the window shows, newest first. Only the lines in sight are ever made."""

    BINDINGS: ClassVar = [
        Binding("down,j", "move(1)", "Next", show=False),
        Binding("up,k", "move(-1)", "Previous", show=False),
        Binding("pagedown", "page(1)", "Page down", show=False),
        Binding("pageup", "page(-1)", "Page up", show=False),
        Binding("home,g", "newest", "Newest"),
        Binding("end", "oldest", "Oldest", show=False),
        Binding("enter", "open", "Open"),
    ]

    class Opened(Message):
        """An event is to be shown whole."""

        def __init__(self, row: Row) -> None:
            super().__init__()
            self.row = row

    def __init__(self, window: Window) -> None:
        super().__init__(id="events")
        self.window = window
        self.selected: int | None = None
        """The place of the selected row."""
        self.several_users = False
        self.border_title = "Events"

    def show(self) -> None:
        """Draw what is there now."""
        self.virtual_size = Size(self.scrollable_content_region.width, len(self.window))
        self.refresh()

    def on_resize(self, _event: Resize) -> None:
        """As wide as there is room."""
        self.show()

    def render_line(self, y: int) -> Strip:
        """One event's line."""
        width = self.scrollable_content_region.width
        try:
            row = self.window[y + round(self.scroll_offset.y)]
        except IndexError:
            return Strip.blank(width, self.rich_style)
        chosen = row.place == self.selected
        base = self.rich_style + (Style(reverse=True) if chosen and self.has_focus else Style(bold=chosen))
        colour = Style(color=COLOURS[row.kind])
        cells = [
            Segment(f" {datetime.fromtimestamp(row.time / 1000):%H:%M:%S} ", base + Style(dim=not chosen)),
            Segment("\u25cf ", base + colour),
            Segment(_cell(row.event, 19), base),
            Segment(_cell(row.tool, 10), base + Style(dim=not chosen)),
        ]
        if self.several_users:
            who = row.user if row.host is None else f"{row.user}@{row.host}"
            cells.append(Segment(_cell(who, 12), base + Style(dim=not chosen)))
        cells.append(Segment(printable(row.what), base))
        return Strip(cells).adjust_cell_length(width, base).crop(0, width)

    def on_click(self, event: Click) -> None:
        """Select a line, and open it with the second click."""
        index = event.y - self.gutter.top + round(self.scroll_offset.y)
        if 0 <= index < len(self.window):
            row = self.window[index]
            if row.place == self.selected:
                self.post_message(self.Opened(row))
            self.selected = row.place
            self.refresh()

    def action_move(self, by: int) -> None:
        """Select the next line, or the one before."""
        index = self.window.index_of(self.selected)
        self._select(0 if index is None else index + by)

    def action_page(self, by: int) -> None:
        """A page further, or back."""
        self._select(
            (self.window.index_of(self.selected) or 0) + by * max(1, self.scrollable_content_region.height - 1)
        )

    def action_newest(self) -> None:
        """Back to what comes."""
        self.window.hold(False)
        self.scroll_to(y=0, animate=False)
        self._select(0)

    def action_oldest(self) -> None:
        """To the oldest line."""
        self._select(len(self.window) - 1)

    def action_open(self) -> None:
        """Show the selected event whole."""
        index = self.window.index_of(self.selected)
        if index is not None:
            self.post_message(self.Opened(self.window[index]))

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Hold still where someone reads; go on at the top."""
        super().watch_scroll_y(old_value, new_value)
        self.window.hold(new_value > 0)

    def _select(self, index: int) -> None:
        if not len(self.window):
            return
        index = max(0, min(len(self.window) - 1, index))
        self.selected = self.window[index].place
        self.scroll_to_region(Region(0, index, 1, 1), animate=False)
        self.refresh()


def _cell(text: str, width: int) -> str:
    """The text in so many columns of the terminal, the last of which is empty."""
    return set_cell_size(printable(text), width - 1) + " "


class Details(ModalScreen[None]):
    """One event whole: what the kernel proves apart from what the sender claims."""

    BINDINGS: ClassVar = [Binding("escape,q,enter", "dismiss(None)", "Close")]

    def __init__(self, row: Row, source: Source) -> None:
        super().__init__()
        self.row = row
        self.source = source

    def compose(self) -> ComposeResult:
        """The parts of the screen."""
        with VerticalScroll(id="details") as scroll:
            scroll.border_title = printable(self.row.event) or "(no name)"
            scroll.border_subtitle = "Esc closes"
            with Vertical(id="proved") as proved:
                proved.border_title = "\u2713 Verified by the kernel"
                yield Static("Reading\u2026", id="proved-text")
            with Vertical(id="claimed") as claimed:
                claimed.border_title = "\u201c Claimed by the sender"
                yield Static("", id="claimed-text")

    def on_mount(self) -> None:
        """Fetch the event."""
        self.fetch()

    @work(thread=True)
    def fetch(self) -> None:
        """Read the event where it is kept whole."""
        try:
            lines = list(self.source.between(self.row.place - 1, self.row.place))
            event = json.loads(lines[0][1]) if lines else None
            trouble = "That event is not kept any more."
        except SourceError as error:
            event, trouble = None, str(error)
        self.app.call_from_thread(self.show, event, trouble)

    def show(self, event: dict[str, Any] | None, trouble: str) -> None:
        """Put the event on the screen."""
        if event is None:
            self.query_one("#proved-text", Static).update(Text(trouble))
            return
        self.query_one("#proved-text", Static).update(Text("\n".join(proved_lines(event))))
        claims = {key: value for key, value in event.items() if not key.startswith("_") or key in {"_value", "_raw"}}
        said = json.dumps(claims, indent=2, ensure_ascii=False)
        shown = "\n".join(map(printable, said[:LONGEST].split("\n")))
        if len(said) > LONGEST:
            shown += f"\n({len(said) - LONGEST} more characters; `observatory events --json` has them)"
        self.query_one("#claimed-text", Static).update(Text(shown))


def proved_lines(event: dict[str, Any]) -> list[str]:
    """What the kernel says of who sent an event, a line for each fact."""
    host = event.get("_host")
    uid, gid, pid, groups = (event.get(f"_peer_{name}") for name in ("uid", "gid", "pid", "groups"))
    # Numbers have names on the machine that they are of.
    user = "" if host is not None or uid is None else f" ({printable(user_name(uid))})"

    def group(number: int) -> str:
        return str(number) if host is not None else f"{number} ({printable(group_name(number))})"

    lines = [] if host is None else [f"host    {printable(str(host))}, whom NATS authenticated and who says the rest"]
    lines.append("user    unknown: the kernel can't translate the uid" if uid is None else f"user    uid {uid}{user}")
    lines.append("process unknown" if pid is None else f"process pid {pid}")
    if gid is not None:
        lines.append(f"group   {group(gid)}")
    if groups is not None:
        lines.append(f"also in {', '.join(map(group, groups[:40])) or 'no other group'}")
    lines.append(f"time    {event.get('_ts')}, event {event.get('_id')}")
    return lines


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
    #events { border: round $foreground 25%; height: 1fr; width: 1fr; background: $background; }
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
        Binding("escape", "everything", "Clear", show=False),
        Binding("q", "quit", "Quit"),
    ]

    def __init__(self, feed: Feed) -> None:
        super().__init__()
        self.feed = feed
        self.window = Window()
        self.cards: dict[tuple[str | None, int | None, str], Card] = {}
        self._point = (0, 0, 0)
        self._users: set[str] = set()
        self._stale_cards = True
        self._beats = 0
        self._listed: list[Card] = []

    def compose(self) -> ComposeResult:
        """The parts of the screen."""
        yield Static(id="head")
        with Horizontal():
            yield OptionList(id="sessions", markup=False)
            with Vertical(id="right"):
                yield Sparkline([0.0], id="pulse")
                yield Input(placeholder="Find: npm test tool=Bash event=Stop user=mia session=4f2a", id="find")
                yield EventList(self.window)
        yield Footer()

    def on_mount(self) -> None:
        """Begin."""
        self.query_one("#sessions").border_title = "Sessions"
        self.query_one(EventList).focus()
        self.beat()
        self.set_interval(BEAT, self.beat)

    def on_resize(self, event: Resize) -> None:
        """A narrow terminal shows events only."""
        self.screen.set_class(event.size.width < 90, "narrow")

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
        if self._beats % 10 == 1 or (self._stale_cards and self._beats % 3 == 0):
            self._draw_rest()

    def _draw_events(self) -> None:
        events = self.query_one(EventList)
        events.several_users = len(self._users) > 1
        shown = f"{len(self.window):,}" + (f" of {self.window.total:,}" if self.window.filter else "")
        waiting = self.window.waiting
        events.border_title = f"Events {shown}"
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
        cards = sorted(self.cards.values(), key=lambda card: (ORDER.index(mood(card)), -card.last))[:SHOWN]
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
        foot = [*([who] if len(self._users) > 1 else []), f"{span(now - card.started)} old", f"{card.events} events"]
        return Text.assemble(
            ("\u25cf ", MOODS[which]),
            (printable(project), "bold"),
            ("  " + span(now - card.since), "dim"),
            ("\n  " + printable(state_words(card)), MOODS[which]),
            ("\n  " + set_cell_size(printable(card.what or card.event), room), ""),
            ("\n  " + set_cell_size(printable(" \u00b7 ".join(foot)), room), "dim"),
        )

    def on_input_changed(self, event: Input.Changed) -> None:
        """Filter while it is written."""
        self.window.choose(read_filter(event.value))
        self.query_one(EventList).scroll_to(y=0, animate=False)
        self._draw_events()

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
        self.push_screen(Details(event.row, self.feed.source))

    def action_find(self) -> None:
        """To the filter."""
        self.query_one("#find", Input).focus()

    def action_sessions(self) -> None:
        """To the sessions."""
        self.query_one("#sessions").focus()

    def action_pause(self) -> None:
        """Hold everything still, or go on."""
        self.window.pause(not self.window.paused)
        self._draw_events()
        self._draw_rest()

    def action_everything(self) -> None:
        """Away with the filter, and to the list."""
        self.query_one("#find", Input).value = ""
        self.query_one(EventList).focus()
