"""The list of events on the right, and which of them is selected."""

from __future__ import annotations

import time
from datetime import UTC, datetime, tzinfo
from typing import TYPE_CHECKING, ClassVar, Final

from rich.cells import set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual.binding import Binding
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from observatory.feed.row import Kind, took
from observatory.text import printable

if TYPE_CHECKING:
    from textual.events import Click, Resize

    from observatory.feed.row import Row
    from observatory.watch.window import Window

RECENT: Final = 20 * 3600
"""Seconds after which a time of day alone could be taken for that of another day."""
NARROW: Final = 90
"""Columns below which only what matters most is shown."""
COLOURS: Final = {
    Kind.OTHER: "bright_black",
    Kind.PROMPT: "magenta",
    Kind.TOOL: "blue",
    Kind.WAITING: "yellow",
    Kind.TURN: "green",
    Kind.SESSION: "cyan",
    Kind.FAILURE: "red",
}


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

    def __init__(self, window: Window, utc: bool) -> None:
        super().__init__(id="events")
        self.window = window
        self._zone = UTC if utc else None
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
            Segment(f" {_when(row.time, self._zone)} ", base + Style(dim=not chosen)),
            Segment("\u25cf ", base + colour),
            Segment(_cell(row.event, 19), base),
            Segment(_cell(row.tool, 10), base + Style(dim=not chosen)),
        ]
        if self.several_users:
            who = row.user if row.host is None else f"{row.user}@{row.host}"
            cells.append(Segment(_cell(who, 12), base + Style(dim=not chosen)))
        if self.app.size.width >= NARROW:
            cells.append(Segment(_cell(row.session, 9), base + Style(dim=not chosen)))
            cells.append(Segment(_cell(took(row.took), 7), base + Style(dim=not chosen)))
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


def _when(milliseconds: int, zone: tzinfo | None) -> str:
    """The time of day of an event, and of one of long ago the day."""
    then = datetime.fromtimestamp(milliseconds / 1000, zone)
    return f"{then:%H:%M:%S}" if time.time() - milliseconds / 1000 < RECENT else f"{then:%y-%m-%d}"


def _cell(text: str, width: int) -> str:
    """The text in so many columns of the terminal, the last of which is empty."""
    return set_cell_size(printable(text), width - 1) + " "
