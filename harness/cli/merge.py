"""harness merge: the parts that several machines did of one suite or one sweep, put together into one report."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from harness.cli.exit_status import AGREE, DISAGREE, USAGE
from harness.cli.outputs import say_unwritten

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
    from harness.report.output_file import expect_writable, write_outputs
    from harness.report.text import visible
    from harness.trials.merging import MergeError, read_parts

    expect_writable(options.html, options.junit)
    try:
        parts = read_parts(options.files)
    except MergeError as error:
        print(f"harness: {visible(str(error))}", file=sys.stderr)
        return USAGE
    sys.stdout.write(text(parts))
    failed = write_outputs([(options.html, lambda: html_page(parts)), (options.junit, lambda: junit(parts))])
    return say_unwritten(failed) or (DISAGREE if any(part.failed for part in parts) else AGREE)
