"""`observatory failures`: what went wrong, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from observatory.cli.answers import QUESTION, about, asked, who
from observatory.cli.events import add_query_options
from observatory.cli.remarks import remark_if_none
from observatory.errors import ExitStatus

if TYPE_CHECKING:
    import argparse

HEADINGS: Final = ("TIME", "USER", "SESSION", "AGENT", "TOOL", "TOOK", "WHY")
EVENTS: Final = ("PostToolUseFailure", "PermissionDenied", "StopFailure")


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `failures`."""
    parser = subparsers.add_parser(
        "failures",
        help="show which tools failed, and why",
        description=f"Show tools that failed or were denied, and turns that ended with an error. {QUESTION}",
    )
    add_query_options(parser, EVENTS, newest=100)
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Fetch and print."""
    import json

    from observatory.cli.table import print_table
    from observatory.feed.row import duration, took
    from observatory.feed.summary import what

    events = remark_if_none("failures", asked(options))
    if options.json:
        for event in events:
            print(
                json.dumps(
                    {**about(event), "event": event.get("_event"), "duration_ms": duration(event), "why": what(event)}
                )
            )
        return ExitStatus.DONE
    print_table(
        HEADINGS,
        [
            (*who(event, options.utc), str(event.get("tool_name") or ""), took(duration(event)), what(event))
            for event in events
        ],
    )
    return ExitStatus.DONE
