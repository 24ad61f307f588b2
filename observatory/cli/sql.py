"""`observatory sql`: a question in SQL about the events that one may see."""

from __future__ import annotations

import math
import sys
from typing import TYPE_CHECKING

from observatory.cli.events import add_query_options, parameters
from observatory.cli.origin import origin_of
from observatory.errors import ExitStatus, ObservatoryError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Sequence


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `sql`."""
    parser = subparsers.add_parser(
        "sql",
        help="query the events that you may see by SQL",
        description="Query the events by SQL, in SQLite's dialect. The table is events (id, time, host, uid, event, "
        "session, agent, tool, duration_ms, project, line); line is the whole event, of which json_extract(line, "
        "'$.tool_input.command') gets a part. The database of a server of your own is asked itself; of any other "
        "the events that you may see and that the options mean are fetched and asked in memory: the fewer they are "
        "(--since 1d), the quicker it is.",
    )
    add_query_options(parser)
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.add_argument("sql", metavar="SQL", help="the question; - reads it from standard input")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Fetch, ask, print."""
    import contextlib

    from observatory.cli.table import print_table
    from observatory.client.client import Client
    from observatory.questions.database import opened
    from observatory.questions.tables import asked, columns_of, loaded

    sql = sys.stdin.read() if options.sql == "-" else options.sql
    origin = origin_of(options)
    query = parameters(options, origin)
    own = opened(origin, query, columns_of(sql)) if isinstance(origin, Client) else None
    with contextlib.closing(own or loaded(origin.lines(query), sql)) as connection:
        headings, rows = asked(connection, sql)
        if options.json:
            _print_json(headings, rows)
        else:
            print_table(headings, (["" if value is None else str(value) for value in row] for row in rows))
    return ExitStatus.DONE


def _print_json(headings: Sequence[str], rows: Iterable[tuple[object, ...]]) -> None:
    import json

    for heading in headings:
        if headings.count(heading) > 1:
            raise ObservatoryError(
                f"two columns of the answer are named {heading!r}, of which an object can have one: give them names "
                "of their own by AS",
                ExitStatus.USAGE,
            )
    for row in rows:
        print(json.dumps(dict(zip(headings, map(_in_json, row), strict=True)), allow_nan=False))


def _in_json(value: object) -> object:
    """A value of SQLite's. JSON has no number for infinity, so that is null."""
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    return None if isinstance(value, float) and not math.isfinite(value) else value
