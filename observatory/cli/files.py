"""`observatory files`: which files agents have changed."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from observatory.cli.answers import QUESTION, about, asked, who
from observatory.cli.events import add_query_options
from observatory.cli.remarks import remark_if_none
from observatory.errors import ExitStatus
from observatory.questions import changes
from observatory.text import printable

if TYPE_CHECKING:
    import argparse

HEADINGS = ("TIME", "USER", "SESSION", "AGENT", "TOOL", "LINES", "FILE")


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `files`."""
    parser = subparsers.add_parser(
        "files",
        help="show which files agents have changed",
        description="Show which files Edit, Write and NotebookEdit have changed, when, and in which session and agent, "
        f"and how many lines were added and removed. Changes by shell commands are not known. {QUESTION}",
    )
    add_query_options(parser, (changes.EVENT,), changes.TOOLS, newest=100)
    parser.add_argument("--diff", action="store_true", help="show how each file was changed too")
    parser.add_argument("--json", action="store_true", help="one JSON object a line, with the diff")
    parser.add_argument("path", metavar="PATH", nargs="*", help="only this file, or those in this directory")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Fetch and print."""
    import json

    from observatory.cli.table import print_table

    wanted = [os.path.abspath(path) for path in options.path]
    if wanted:
        options.newest = None  # of all changes the newest hundred are not those of this file
    told = ((event, change) for event in asked(options) if (change := changes.change(event)) is not None)
    within = (
        (event, change)
        for event, change in told
        if not wanted or any(change.path == path or change.path.startswith(f"{path.rstrip('/')}/") for path in wanted)
    )
    found = list(remark_if_none("files", within, "there is no such change of a file that you may see"))
    if options.json:
        for event, change in found:
            print(json.dumps({**about(event), "path": change.path, "diff": "\n".join(change.lines)}))
        return ExitStatus.DONE
    rows = [
        (*who(event, options.utc), str(event.get("tool_name")), f"+{change.added} -{change.removed}", change.path)
        for event, change in found
    ]
    if not options.diff:
        print_table(HEADINGS, rows)
        return ExitStatus.DONE
    for row, (_, change) in zip(rows, found, strict=True):
        print(printable("  ".join(filter(None, row))))
        print("".join(f"  {printable(line)}\n" for line in change.lines))
    return ExitStatus.DONE
