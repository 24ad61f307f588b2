"""`observatory export`: recorded events for other programs."""

from __future__ import annotations

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

    writer = csv.writer(sys.stdout)
    writer.writerow(COLUMNS)
    for event in events:
        said = map(event.get, ("_host", "_peer_uid", "_event", "session_id", "agent_id", "tool_name"))
        row = (event.get("_id"), shown(event.get("_ts"), utc), *said, duration(event), event.get("cwd"), what(event))
        writer.writerow([_cell(value) for value in row])


def _cell(value: object) -> str:
    if value is None:
        return ""
    text = printable(str(value))
    return f"'{text}" if text.startswith(_FORMULA) else text
