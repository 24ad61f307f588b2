"""`observatory watch`: sessions and events in a terminal."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from observatory.cli.origin import add_origin_options, lacking, source
from observatory.cli.server_options import add_server_options
from observatory.cli.times import add_utc_option
from observatory.errors import ExitStatus, ObservatoryError

if TYPE_CHECKING:
    import argparse


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `watch`."""
    parser = subparsers.add_parser(
        "watch",
        help="show sessions and events in the terminal",
        description="Show the sessions and events that you may see, as they come, with filters. Each event shows what "
        "the kernel proves separately from what its sender claims. Works over ssh.",
    )
    add_server_options(parser)
    add_origin_options(parser)
    add_utc_option(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Show it until the user has seen enough."""
    if not (all(stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr))):
        raise ObservatoryError("this needs a terminal; `observatory events --follow` writes lines", ExitStatus.USAGE)
    try:
        from observatory.watch.app import WatchApp
    except ImportError as error:
        raise lacking(error, "watch") from None
    from observatory.feed.feed import Feed

    feed = Feed(source(options))
    feed.start()
    try:
        WatchApp(feed, options.utc).run()
    finally:
        feed.stop()
    return ExitStatus.DONE
