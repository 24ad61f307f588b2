"""`observatory export`: recorded events for other programs."""

from __future__ import annotations

import functools
import sys
from typing import TYPE_CHECKING, Any, Final

from observatory.cli.events import add_query_options, parameters
from observatory.cli.origin import lacking, origin_of
from observatory.cli.remarks import remark_if_none
from observatory.errors import ExitStatus, ObservatoryError
from observatory.text import printable

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

COLUMNS: Final = (
    *("id", "time", "host", "uid", "event", "session", "agent", "tool", "duration_ms", "project", "what"),
)
_FORMULA: Final = ("=", "+", "-", "@")
"""What a cell begins with that a spreadsheet takes for a formula."""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `export`."""
    parser = subparsers.add_parser(
        "export",
        help="write recorded events for other programs",
        description="Write recorded events to standard output, oldest first: as jsonl, one JSON object a line; as csv, "
        "one row each (RFC 4180; a ' comes before what a spreadsheet would take for a formula); as parquet, one row "
        "each, with the whole event as JSON in the column `line` (needs claude-observatory[parquet]).",
    )
    add_query_options(parser)
    parser.add_argument("--format", choices=("jsonl", "csv", "parquet"), required=True, help="the form to write")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Fetch and write."""
    origin = origin_of(options)
    query = parameters(options, origin)
    lines = remark_if_none("export", origin.lines(query))
    if options.format == "csv":
        _write_csv(origin.read(lines), options.utc)
        return ExitStatus.DONE
    if options.format == "parquet":
        _write_parquet(lines)
        return ExitStatus.DONE
    for line in lines:
        sys.stdout.buffer.write(line + b"\n")
    return ExitStatus.DONE


def _write_parquet(lines: Iterable[bytes]) -> None:
    if sys.stdout.isatty():
        raise ObservatoryError("Parquet is not for terminals: write it to a file, with > FILE", ExitStatus.USAGE)
    try:
        from observatory.questions.parquet import write
    except ImportError as error:
        raise lacking(error, "parquet") from None
    write(lines, sys.stdout.buffer)


def _write_csv(events: Iterable[dict[str, Any]], utc: bool) -> None:
    import csv

    from observatory.feed.row import duration
    from observatory.feed.summary import what
    from observatory.feed.times import shown

    known = functools.lru_cache(maxsize=1024)(_cell)  # names are few, and said again and again

    def named(value: object) -> object:
        return value if value is None or type(value) is int else known(value if type(value) is str else str(value))

    def row(event: dict[str, Any]) -> tuple[object, ...]:
        said = event.get
        return (
            *(named(said("_id")), _cell(shown(said("_ts"), utc)), named(said("_host")), named(said("_peer_uid"))),
            *(named(said("_event")), named(said("session_id")), named(said("agent_id")), named(said("tool_name"))),
            *(duration(event), named(said("cwd")), _cell(what(event))),
        )

    writer = csv.writer(sys.stdout)
    writer.writerow(COLUMNS)
    writer.writerows(map(row, events))


def _cell(text: str) -> str:
    shown = printable(text)
    return f"'{shown}" if shown.startswith(_FORMULA) else shown
