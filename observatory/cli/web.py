"""`observatory web`: the page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from observatory.cli.origin import add_origin_options, lacking, source
from observatory.cli.server_options import add_server_options
from observatory.cli.times import add_utc_option
from observatory.errors import ExitStatus, ObservatoryError

if TYPE_CHECKING:
    import argparse

    from observatory.web.gate import Gate


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `web`."""
    parser = subparsers.add_parser(
        "web",
        help="show sessions and events in the browser",
        description="Serve a page on 127.0.0.1 that shows the sessions and events that you may see, as they come. "
        "Prints a link with a token, which lets one browser in, once; then the next link.",
    )
    add_server_options(parser)
    add_origin_options(parser)
    add_utc_option(parser)
    parser.add_argument("--port", type=_port, default=0, metavar="N", help="the port (default: one that is free)")
    parser.set_defaults(run=run)


def _port(text: str) -> int:
    import argparse

    if not text.isascii() or not text.isdigit() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port: a number up to 65535")
    return int(text)


def run(options: argparse.Namespace) -> int:
    """Serve the page until SIGINT or SIGTERM."""
    try:
        from observatory.web.app import application
        from observatory.web.gate import Gate
        from observatory.web.port import listen, ready
    except ImportError as error:
        raise lacking(error, "web") from None
    from observatory.feed.feed import Feed

    shown = source(options)
    try:
        sock = listen(options.port)
    except OSError as error:
        raise ObservatoryError(f"can't listen on 127.0.0.1 port {options.port}: {error.strerror}") from error
    feed = Feed(shown)
    page = application(feed, options.utc)
    gate = Gate(page, sock.getsockname()[1], lambda: _print("A browser came in. For another one:", gate))
    serve = ready(gate, sock, feed.stop)
    feed.start()
    try:
        _print(f"Showing {shown.name}. Open this in your browser; it works once:", gate)
        serve()
    finally:
        feed.stop()
    return ExitStatus.DONE


def _print(sentence: str, gate: Gate) -> None:
    print(f"{sentence}\n  {gate.link()}", flush=True)
