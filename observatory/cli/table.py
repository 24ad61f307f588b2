"""Rows for people: columns on a terminal, by rich where it is installed, and plain text elsewhere.

What is shown was said by others, so that each cell is made `printable`.
"""

from __future__ import annotations

import importlib.util
import shutil
import sys
from typing import TYPE_CHECKING

from observatory.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

ELLIPSIS = "\u2026"


def print_table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print all rows as one table, as wide as it needs to be or as the terminal is."""
    shown = [[printable(cell) for cell in row] for row in rows]
    if sys.stdout.isatty() and importlib.util.find_spec("rich") is not None:
        _print_rich(headings, shown)
        return
    widths = [max(map(len, column)) for column in zip(headings, *shown, strict=True)]
    for row in (headings, *shown):
        print(_line(row, widths))


def stream_table(headings: Sequence[str], widths: Sequence[int], rows: Iterable[Sequence[str]]) -> None:
    """Print rows as they come, in columns of these widths; what is longer moves the rest of its row."""
    print(_line(headings, widths), flush=True)
    for row in rows:
        print(_line([printable(cell) for cell in row], widths), flush=True)


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    line = "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()
    if not sys.stdout.isatty():
        return line
    room = shutil.get_terminal_size().columns
    return line if len(line) <= room else line[: room - 1] + ELLIPSIS


def _print_rich(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    import rich.box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=rich.box.SIMPLE_HEAD, pad_edge=False)
    for number, heading in enumerate(headings):
        last = number == len(headings) - 1
        table.add_column(heading, no_wrap=True, overflow="ellipsis", max_width=None if last else 24)
    for row in rows:
        # As Text, since rich takes square brackets in a str for markup.
        table.add_row(*(Text(cell) for cell in row))
    Console().print(table)
