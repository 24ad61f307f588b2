"""One event whole, on top of the rest."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, ClassVar, Final

from rich.text import Text
from textual import work
from textual.binding import Binding
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from observatory.feed.source import SourceError
from observatory.feed.times import shown
from observatory.identity.names import group_name, user_name
from observatory.reading import read_event
from observatory.text import printable

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from observatory.feed.row import Row
    from observatory.feed.source import Source

LONGEST: Final = 100_000
"""Characters of an event that are shown."""


class Details(ModalScreen[None]):
    """One event whole: what the kernel proves apart from what the sender claims."""

    BINDINGS: ClassVar = [Binding("escape,q,enter", "dismiss(None)", "Close")]

    def __init__(self, row: Row, source: Source, utc: bool) -> None:
        super().__init__()
        self.row = row
        self.source = source
        self.utc = utc

    def compose(self) -> ComposeResult:
        """The parts of the screen."""
        with VerticalScroll(id="details") as scroll:
            scroll.border_title = Text(printable(self.row.event) or "(no name)")  # in a str, brackets are markup
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
            event = read_event(lines[0][1]) if lines else None
            trouble = "That event is not kept any more."
        except SourceError as error:
            event, trouble = None, str(error)
        self.app.call_from_thread(self.show, event, trouble)

    def show(self, event: dict[str, Any] | None, trouble: str) -> None:
        """Put the event on the screen."""
        if event is None:
            self.query_one("#proved-text", Static).update(Text(trouble))
            return
        self.query_one("#proved-text", Static).update(Text("\n".join(proved_lines(event, self.utc))))
        claims = {key: value for key, value in event.items() if not key.startswith("_") or key in {"_value", "_raw"}}
        said = json.dumps(claims, indent=2, ensure_ascii=False)
        shown = "\n".join(map(printable, said[:LONGEST].split("\n")))
        if len(said) > LONGEST:
            shown += f"\n({len(said) - LONGEST} more characters; `observatory events --json` has them)"
        self.query_one("#claimed-text", Static).update(Text(shown))


def proved_lines(event: dict[str, Any], utc: bool) -> list[str]:
    """What the kernel says of who sent an event, a line for each fact."""
    host = event.get("_host")
    uid, gid, pid, groups = (event.get(f"_peer_{name}") for name in ("uid", "gid", "pid", "groups"))
    # Numbers have names on the machine that they are of.
    user = "" if host is not None or uid is None else f" ({user_name(uid)})"

    def group(number: int) -> str:
        return str(number) if host is not None else f"{number} ({group_name(number)})"

    lines = [] if host is None else [f"host    {host}, whom NATS authenticated and who says the rest"]
    lines.append("user    unknown: the kernel can't translate the uid" if uid is None else f"user    uid {uid}{user}")
    lines.append("process unknown" if pid is None else f"process pid {pid}")
    if gid is not None:
        lines.append(f"group   {group(gid)}")
    if groups is not None:
        lines.append(f"also in {', '.join(map(group, groups[:40])) or 'no other group'}")
    lines.append(f"time    {shown(event.get('_ts'), utc)}, event {event.get('_id')}")
    return [printable(line) for line in lines]
