"""Rows for people: columns on a terminal, by rich where it is installed, and plain text elsewhere.

What is shown was said by others, so that each cell and each heading is made `printable`.
"""

from __future__ import annotations

import importlib.util
import shutil
import sys
from itertools import chain, islice
from typing import TYPE_CHECKING, Final

from observatory.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

ELLIPSIS: Final = "\u2026"
FIRST: Final = 1000
"""Rows of a longer table that are read before the first is printed."""


def print_table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print rows as one table, as wide as it needs to be or as the terminal is.

    Of more than `FIRST` rows the first are shown at once, and say how wide the columns are.
    """
    headings = list(map(printable, headings))
    found = ([printable(cell) for cell in row] for row in rows)
    first = list(islice(found, FIRST))
    if len(first) < FIRST and sys.stdout.isatty() and importlib.util.find_spec("rich") is not None:
        _print_rich(headings, first)
        return
    widths = [max(map(len, column)) for column in zip(headings, *first, strict=True)]
    _print_lines(chain([headings], first, found), widths)


def stream_table(headings: Sequence[str], widths: Sequence[int], rows: Iterable[Sequence[str]]) -> None:
    """Print rows as they come, in columns of these widths; what is longer moves the rest of its row."""
    found = ([printable(cell) for cell in row] for row in rows)
    _print_lines(chain([headings], found), widths, flush=True)


def _print_lines(rows: Iterable[Sequence[str]], widths: Sequence[int], *, flush: bool = False) -> None:
    room = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    for row in rows:
        sys.stdout.write(_line(row, widths, room) + "\n")
        if flush:
            sys.stdout.flush()


def _line(cells: Sequence[str], widths: Sequence[int], room: int | None) -> str:
    line = "  ".join(map(str.ljust, cells, widths)).rstrip()
    return line if room is None or len(line) <= room else line[: room - 1] + ELLIPSIS


def _print_rich(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    import rich.box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=rich.box.SIMPLE_HEAD, pad_edge=False)
    for number, heading in enumerate(headings):
        last = number == len(headings) - 1
        # As Text, since rich takes square brackets in a str for markup.
        table.add_column(Text(heading), no_wrap=True, overflow="ellipsis", max_width=None if last else 24)
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    Console().print(table)
