"""`observatory events`: what was recorded, as far as the caller may see it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from observatory.cli.origin import add_origin_options, nats_source
from observatory.cli.server_options import add_server_options, client
from observatory.errors import ExitStatus, ObservatoryError
from observatory.text import printable, printable_json

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Iterator

HEADINGS = ("ID", "TIME", "USER", "EVENT", "SESSION", "TOOL", "WHAT")
WIDTHS = (6, 19, 8, 18, 8, 8, 0)


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `events`."""
    parser = subparsers.add_parser(
        "events",
        help="show recorded events",
        description="Show recorded events, oldest first: one's own, and everybody's to root, to the server's user and "
        "to the group of `serve --readers`.",
    )
    add_server_options(parser)
    add_origin_options(parser)
    parser.add_argument("--event", metavar="NAME", help="only events of this name")
    parser.add_argument("--session", metavar="ID", help="only events of this session")
    parser.add_argument("--tool", metavar="NAME", help="only events about this tool")
    parser.add_argument("--user", metavar="USER", help="only events that this user (name or uid) sent")
    parser.add_argument("--after", metavar="ID", type=_number, help="only events after this one")
    parser.add_argument("--limit", metavar="N", type=_number, help="at most so many")
    parser.add_argument("--follow", action="store_true", help="go on with what comes, until interrupted")
    parser.add_argument("--json", action="store_true", help="one JSON object a line, as the server has it")
    parser.set_defaults(run=run)


def _number(text: str) -> int:
    import argparse

    if not text.isascii() or not text.isdigit():
        raise argparse.ArgumentTypeError(f"{text!r} is not a number such as 100")
    return int(text)


def parameters(options: argparse.Namespace) -> dict[str, str]:
    """The query of `/events` that these options mean. Raises ObservatoryError for a user who doesn't exist."""
    from observatory.identity.names import uid_of

    query = {
        name: str(value)
        for name in ("after", "event", "session", "tool", "limit")
        if (value := getattr(options, name)) is not None
    }
    if options.user is not None:
        query["user"] = str(uid_of(options.user))
    if options.follow:
        query["follow"] = "1"
    return query


def run(options: argparse.Namespace) -> int:
    """Fetch and print."""
    from observatory.client.following import follow

    query = parameters(options)
    events: Iterable[dict[str, Any]]
    if options.origin is None:
        server = client(options)
        lines = follow(server, query, _say) if options.follow else server.lines(query)
        events = server.read(lines)
    else:
        hosts = nats_source(options)
        lines, events = hosts.lines(query), hosts.events(query)
    if options.json:
        _print_lines(lines)
    else:
        _print_rows(events, options.follow)
    if options.follow and options.origin is not None:
        raise ObservatoryError(f"the server at {options.origin} has ended", ExitStatus.UNAVAILABLE)
    return ExitStatus.DONE


def _say(sentence: str) -> None:
    print(f"observatory events: {printable(sentence)}", file=sys.stderr, flush=True)


def _print_lines(lines: Iterable[bytes]) -> None:
    """JSON as it came; on a terminal with escapes for what a terminal would take for a command, or not show."""
    out = sys.stdout.buffer
    for line in lines:
        out.write((printable_json(line.decode()).encode() if sys.stdout.isatty() else line) + b"\n")
        out.flush()


def _print_rows(events: Iterable[dict[str, Any]], follow: bool) -> None:
    from observatory.cli.table import print_table, stream_table

    if follow:
        stream_table(HEADINGS, WIDTHS, _rows(events))
    else:
        print_table(HEADINGS, _rows(events))


def _rows(events: Iterable[dict[str, Any]]) -> Iterator[tuple[str, ...]]:
    from observatory.feed.row import what
    from observatory.identity.names import user_name

    for event in events:
        yield (
            str(event.get("_id", "")),
            str(event.get("_ts", ""))[:19].replace("T", " "),
            # A uid is a user of the machine that said it, and names are those of this one.
            f"{event.get('_peer_uid')}@{host}" if (host := event.get("_host")) else user_name(event.get("_peer_uid")),
            str(event.get("_event", "")),
            printable(str(event.get("session_id", "")))[:8],
            str(event.get("tool_name", "")),
            what(event),
        )
