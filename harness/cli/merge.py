"""harness merge: the parts that several machines did of one suite or one sweep, put together into one report."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from harness.cli.exit_status import AGREE, DISAGREE, USAGE

if TYPE_CHECKING:
    import argparse


def add_options(parser: argparse.ArgumentParser) -> None:
    """`harness merge FILE...`."""
    parser.add_argument(
        "files",
        nargs="+",
        metavar="FILE",
        type=Path,
        help="a JUnit file of pytest with --harness-shard, or what `harness sweep --shard K/N --json` wrote",
    )
    parser.add_argument("--html", metavar="FILE", type=Path, help="also write one self-contained HTML page")
    parser.add_argument("--junit", metavar="FILE", type=Path, help="also write JUnit XML")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Merge; 0 if nothing failed in any part, 1 if something did, 2 if the files are not all the parts."""
    from harness.report.merged import html_page, junit, text
    from harness.report.output_file import write_output
    from harness.report.text import visible
    from harness.trials.merging import MergeError, read_parts

    try:
        parts = read_parts(options.files)
        sys.stdout.write(text(parts))
        for file, content in ((options.html, html_page), (options.junit, junit)):
            if file is not None:
                write_output(file, content(parts))
    except MergeError as error:
        print(f"harness: {visible(str(error))}", file=sys.stderr)
        return USAGE
    return DISAGREE if any(part.failed for part in parts) else AGREE
