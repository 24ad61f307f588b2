"""`observatory durations`: how long tools take."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from observatory.cli.answers import lines
from observatory.cli.events import add_query_options
from observatory.cli.remarks import remark_if_none
from observatory.errors import ExitStatus

if TYPE_CHECKING:
    import argparse

HEADINGS: Final = ("TOOL", "CALLS", "MEDIAN", "P95", "LONGEST", "")
EVENTS: Final = ("PostToolUse", "PostToolUseFailure")
WIDTH: Final = 40
"""Columns of the chart."""
NEWEST: Final = 2000


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `durations`."""
    parser = subparsers.add_parser(
        "durations",
        help="show how long tools take",
        description="Show how long each tool took, as the client reports it, the slowest first: the median and the "
        "95th percentile of its calls, and a chart with a logarithmic scale. Uses the events that you may see.",
    )
    add_query_options(parser, EVENTS, newest=NEWEST)
    parser.add_argument("--json", action="store_true", help="one JSON object a line, in milliseconds")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Fetch, count, print."""
    import dataclasses
    import json

    from observatory.cli.table import print_table
    from observatory.feed.row import took
    from observatory.questions.durations import bar, durations

    none = "no such event that you may see says how long a tool took"
    found = list(remark_if_none("durations", durations(lines(options)), none))
    if options.json:
        for each in found:
            print(json.dumps(dataclasses.asdict(each)))
        return ExitStatus.DONE
    longest = max((each.p95 for each in found), default=0)
    rows = [
        (each.tool, str(each.calls), *map(took, (each.median, each.p95, each.longest)), bar(each, longest, WIDTH))
        for each in found
    ]
    print_table(HEADINGS, rows)
    return ExitStatus.DONE
