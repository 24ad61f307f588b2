"""`observatory commands`: which shell commands agents have run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from observatory.cli.answers import QUESTION, about, asked, who
from observatory.cli.events import add_query_options
from observatory.cli.remarks import remark_if_none
from observatory.errors import ExitStatus

if TYPE_CHECKING:
    import argparse

HEADINGS: Final = ("TIME", "USER", "SESSION", "AGENT", "TOOK", "RESULT", "COMMAND")
EVENTS: Final = ("PostToolUse", "PostToolUseFailure")
TOOLS: Final = ("Bash", "PowerShell")


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `commands`."""
    parser = subparsers.add_parser(
        "commands",
        help="show which shell commands agents have run",
        description=f"Show the commands that agents have run, how long each took, and whether it failed. {QUESTION}",
    )
    add_query_options(parser, EVENTS, TOOLS, newest=100)
    parser.add_argument("--json", action="store_true", help="one JSON object a line, with the whole command")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Fetch and print."""
    import json

    from observatory.cli.table import print_table
    from observatory.feed.row import duration, took

    events = remark_if_none("commands", asked(options))
    if options.json:
        for event in events:
            said = {"duration_ms": duration(event), "result": _result(event), "command": _command(event)}
            print(json.dumps({**about(event), **said}))
        return ExitStatus.DONE
    rows = [
        (*who(event, options.utc), took(duration(event)), _result(event), " ".join(_command(event).split()))
        for event in events
    ]
    print_table(HEADINGS, rows)
    return ExitStatus.DONE


def _result(event: dict[str, Any]) -> str:
    return "failed" if event.get("_event") == "PostToolUseFailure" else "ok"


def _command(event: dict[str, Any]) -> str:
    given = event.get("tool_input")
    return str(given.get("command") or "") if isinstance(given, dict) else ""
