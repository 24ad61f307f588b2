"""`observatory events`: what was recorded, as far as the caller may see it."""

from __future__ import annotations

import sys
from collections import deque
from datetime import UTC, datetime
from functools import partial
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

from observatory.cli.origin import add_origin_options, origin_of
from observatory.cli.remarks import remark, remark_if_none
from observatory.cli.server_options import add_server_options
from observatory.cli.times import add_utc_option
from observatory.errors import ExitStatus, ObservatoryError
from observatory.text import TIMES, printable, printable_json

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Iterator, Sequence

    from observatory.client.client import Client
    from observatory.client.query import Events
    from observatory.feed.find import Filter
    from observatory.forward.nats_source import NatsSource

HEADINGS = ("ID", "TIME", "USER", "EVENT", "SESSION", "TOOL", "TOOK", "WHAT")
WIDTHS = (6, 25, 8, 18, 8, 8, 6, 0)


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `events`."""
    parser = subparsers.add_parser(
        "events",
        help="show recorded events",
        description="Show recorded events, oldest first: your own, or everybody's if you are root, the server's user "
        "or in the group of `serve --readers`. --event, --tool and --session may be given several times. Times are "
        "local, with their offset from UTC.",
    )
    parser.add_argument(
        "words",
        metavar="TEXT",
        nargs="*",
        help="only events with this text anywhere in them, in any case; tool=bash, session=4f2a, since=1h and "
        "so on mean the same as in the find fields of `watch` and `web`",
    )
    add_query_options(parser)
    parser.add_argument("--follow", action="store_true", help="go on with what comes, until interrupted")
    parser.add_argument("--json", action="store_true", help="one JSON object a line, as the server has it")
    parser.set_defaults(run=run)


def add_query_options(
    parser: argparse.ArgumentParser, events: Sequence[str] = (), tools: Sequence[str] = (), newest: int | None = None
) -> None:
    """Add the options that say which events of which server are meant.

    What a command has by itself, the names of events or of tools, has no option. `newest`: so many if nobody says.
    """
    add_server_options(parser)
    add_origin_options(parser)
    parser.set_defaults(event=list(events), tool=list(tools), follow=False, newest=newest)
    if not events:
        parser.add_argument(
            "--event", metavar="NAME", type=_name, action="append", default=[], help="only events of this name"
        )
    parser.add_argument(
        "--session",
        metavar="ID",
        type=_name,
        action="append",
        default=[],
        help="only events of this session; its beginning will do",
    )
    if not tools:
        parser.add_argument(
            "--tool", metavar="NAME", type=_name, action="append", default=[], help="only events about this tool"
        )
    parser.add_argument("--user", metavar="USER", help="only events that this user (name or uid) sent")
    parser.add_argument("--since", metavar="TIME", help=f"only events of this time and later: {TIMES}")
    parser.add_argument("--until", metavar="TIME", help="only events before this time")
    add_utc_option(parser)
    parser.add_argument("--after", metavar="ID", type=_number, help="only events after this one")
    few = "" if newest is None else f" (default: the newest {newest})"
    parser.add_argument("--limit", metavar="N", type=_number, help=f"at most so many{few}")


def _name(text: str) -> str:
    """A name that is none, a variable's that is not set, say, would ask for everything."""
    import argparse

    if not text:
        raise argparse.ArgumentTypeError("a name is missing")
    return text


def _number(text: str) -> int:
    import argparse

    if not text.isascii() or not text.isdigit():
        raise argparse.ArgumentTypeError(f"{text!r} is not a number such as 100")
    return int(text)


def parameters(options: argparse.Namespace, asked: Events) -> dict[str, str | list[str]]:
    """The query of `/events` that these options mean, of those who are asked.

    Raises ObservatoryError for an invalid question, and for names that nobody has.
    """
    from observatory.cli.times import asked as asked_time
    from observatory.client.query import named, rfc3339
    from observatory.identity.names import uid_of

    if options.follow and options.until is not None:
        raise ObservatoryError("--follow has no end, so --until can't be given with it", ExitStatus.USAGE)
    numbers = {"after": options.after, "limit": options.newest if options.limit is None else options.limit}
    query: dict[str, str | list[str]] = {name: str(value) for name, value in numbers.items() if value is not None}
    for name in ("since", "until"):
        if (time := asked_time(options, name)) is not None:
            query[name] = rfc3339(time)
    if str(query.get("since", "")) >= str(query.get("until", "~")):
        raise ObservatoryError("--until is not after --since, so there can't be any event", ExitStatus.USAGE)
    query.update(named(asked, options.event, options.tool, options.session, to_come=options.follow))
    if options.user is not None:
        query["user"] = str(uid_of(options.user))
    if options.follow:
        query["follow"] = "1"
    return query


def run(options: argparse.Namespace) -> int:
    """Fetch and print."""
    from observatory.feed.find import read_filter
    from observatory.feed.times import now

    wanted = read_filter(" ".join(options.words), now(options.utc))
    if wanted.is_impossible:
        raise ObservatoryError(str(wanted.trouble), ExitStatus.USAGE)
    origin = origin_of(options)
    lines = _lines(options, origin, wanted)
    if not options.follow:
        lines = _some(lines, wanted) if wanted else remark_if_none("events", lines)
    if options.json:
        _print_lines(lines, options)
    else:
        _print_rows(origin.read(lines), options)
    if options.follow and options.origin is not None:
        raise ObservatoryError(f"the server at {options.origin} has ended", ExitStatus.UNAVAILABLE)
    return ExitStatus.DONE


def _some(lines: Iterable[bytes], wanted: Filter) -> Iterable[bytes]:
    """The same, of which there is one at least. Raises ObservatoryError, with the likely reason, if there is none."""
    rest = iter(lines)
    first = next(rest, None)
    if first is not None:
        return chain([first], rest)
    if wanted.trouble is not None:
        raise ObservatoryError(wanted.trouble, ExitStatus.USAGE)
    raise ObservatoryError("no event, as far as you may see them, has all that you ask for")


def _lines(options: argparse.Namespace, origin: Client | NatsSource, wanted: Filter) -> Iterable[bytes]:
    """The events that the options mean, and the words among them."""
    from observatory.client.client import Client
    from observatory.client.following import follow

    query = parameters(options, origin)
    get = (
        partial(follow, origin, say=partial(remark, "events"))
        if options.follow and isinstance(origin, Client)
        else origin.lines
    )
    if not wanted:
        return get(query)
    from observatory.client.query import rfc3339
    from observatory.feed.search import filtering, newest
    from observatory.feed.source import place_of

    matches, limit = filtering(wanted), options.limit
    if wanted.since is not None:
        since = rfc3339(datetime.fromtimestamp(wanted.since / 1000, UTC))
        query["since"] = max(str(query.get("since", "")), since)
    if limit is None:
        return filter(matches, get(query))
    del query["limit"]
    if options.after is not None:
        return islice(filter(matches, get(query)), limit)
    past = {name: value for name, value in query.items() if name != "follow"}
    if isinstance(origin, Client):
        last = max(map(place_of, origin.lines({"limit": "1"})), default=0)
        found = newest(origin.lines, past, last, limit, matches)
    else:
        last = origin.newest()
        found = list(deque(filter(matches, origin.lines(past)), limit))
    return chain(found, filter(matches, get({**query, "after": str(last)}))) if options.follow else found


def _print_lines(lines: Iterable[bytes], options: argparse.Namespace) -> None:
    """JSON as it came; on a terminal with escapes for what a terminal would take for a command, or not show."""
    out, is_terminal = sys.stdout.buffer, sys.stdout.isatty()
    for line in lines:
        out.write((printable_json(line.decode()).encode() if is_terminal else line) + b"\n")
        if options.follow:
            out.flush()


def _print_rows(events: Iterable[dict[str, Any]], options: argparse.Namespace) -> None:
    from observatory.cli.table import print_table, stream_table

    rows = _rows(events, options.utc)
    if options.follow:
        stream_table(HEADINGS, WIDTHS, rows)
    else:
        print_table(HEADINGS, rows)


def _rows(events: Iterable[dict[str, Any]], utc: bool) -> Iterator[tuple[str, ...]]:
    from observatory.feed.row import duration, took
    from observatory.feed.summary import what
    from observatory.feed.times import shown
    from observatory.identity.names import user_of_row

    for event in events:
        yield (
            str(event.get("_id", "")),
            shown(event.get("_ts"), utc),
            # A uid is a user of the machine that said it, and names are those of this one.
            f"{event.get('_peer_uid')}@{host}" if (host := event.get("_host")) else user_of_row(event.get("_peer_uid")),
            str(event.get("_event", "")),
            printable(str(event.get("session_id", "")))[:8],
            str(event.get("tool_name", "")),
            took(duration(event)),
            what(event),
        )
