"""`observatory cost`: tokens and what they cost, out of the transcripts that one may read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from observatory.cli.remarks import remark
from observatory.cli.server_options import add_server_options, client
from observatory.errors import ExitStatus, ObservatoryError
from observatory.text import TIMES, printable

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from observatory.transcripts.files import Transcript
    from observatory.transcripts.totals import Total
    from observatory.transcripts.usage import Answer, Reader

BY: Final = ("session", "agent", "model", "day")
_COUNTS: Final = ("INPUT", "OUTPUT", "WRITE 5M", "WRITE 1H", "READ", "COST", "MODEL")
_SHOWN: Final = 3
"""So many transcripts that can't be read are named."""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `cost`."""
    parser = subparsers.add_parser(
        "cost",
        help="show tokens and what they cost",
        description="Add up the tokens of Claude Code's transcripts, and what they cost: input, output, cache writes "
        "for 5 minutes and for an hour, and cache reads. Reads, with your own rights, the transcripts in your own "
        "~/.claude (or $CLAUDE_CONFIG_DIR), and those that the events of a server name. Each answer of a model counts "
        "once; the price of a model that is not known is not guessed.",
    )
    add_server_options(parser)
    parser.add_argument("--by", choices=BY, default="session", help="what to add up by (default: session)")
    parser.add_argument(
        "--session", metavar="ID", action="append", default=[], help="only this session; its beginning will do"
    )
    parser.add_argument("--since", metavar="TIME", help=f"only answers of this time and later: {TIMES}")
    parser.add_argument("--until", metavar="TIME", help="only answers before this time")
    parser.add_argument("--utc", action="store_true", help="times and days in UTC")
    parser.add_argument("--prices", metavar="FILE", help="your own prices, in the form of the package's prices.toml")
    parser.add_argument("--json", action="store_true", help="one JSON object a line, and last the whole")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Find, read, add up, print."""
    from datetime import UTC
    from pathlib import Path

    from observatory.transcripts.prices import prices
    from observatory.transcripts.totals import totals, whole

    known = prices(None if options.prices is None else Path(options.prices))
    wanted = _wanted(options)
    read, refused = _read(options)
    answers = [answer for answer in read.answers() if wanted(answer)]
    rows = totals(answers, options.by, known, UTC if options.utc else None)
    total = whole(rows)
    _tell(read, refused)
    if total is None:
        raise ObservatoryError("no answer of a model is in the transcripts that you may read, or none that you ask for")
    if options.json:
        _print_json(rows, options.by)
        _print_json([total], "whole")
    else:
        _print_table([*rows, total], options)
        print(f"prices of {printable(known.as_of)}")
    return ExitStatus.DONE


def _wanted(options: argparse.Namespace) -> Any:
    """Whether an answer is asked for. Raises ObservatoryError for what is no time."""
    from observatory.cli.times import asked

    since, until = asked(options, "since"), asked(options, "until")

    def wanted(answer: Answer) -> bool:
        return (
            (since is None or answer.time >= since)
            and (until is None or answer.time < until)
            and (not options.session or answer.session.startswith(tuple(options.session)))
        )

    return wanted


def _read(options: argparse.Namespace) -> tuple[Reader, list[tuple[Transcript, OSError]]]:
    """What the transcripts say, and which of them can't be read."""
    from observatory.transcripts.files import by_age, lines
    from observatory.transcripts.usage import Reader

    reader, refused = Reader(), []
    for transcript in by_age([*_own(), *_named(options)]):
        try:
            reader.read(transcript.owner, lines(transcript))
        except OSError as error:
            refused.append((transcript, error))
    return reader, refused


def _own() -> Iterator[Transcript]:
    from observatory.hooks.clients import CLIENTS
    from observatory.transcripts.files import in_directory

    try:
        yield from in_directory(CLIENTS["claude"].path(everywhere=True))
    except OSError as error:
        if not isinstance(error, FileNotFoundError):
            remark("cost", f"{error.filename} can't be read: {error.strerror}")


def _named(options: argparse.Namespace) -> Iterator[Transcript]:
    """What the events of the server name, each by its sender's word."""
    from observatory.transcripts.files import of_session

    seen: set[tuple[str, int]] = set()
    try:
        for event in client(options).events({"event": ("SessionStart", "SessionEnd")}):
            path, owner = event.get("transcript_path"), event.get("_peer_uid")
            if isinstance(path, str) and path.endswith(".jsonl") and isinstance(owner, int):
                seen.add((path, owner))
    except ObservatoryError as error:
        if options.socket is not None:
            raise
        remark("cost", f"only your own transcripts are read: {error}")
    for path, owner in sorted(seen):
        yield from of_session(path, owner)


def _tell(read: Reader, refused: list[tuple[Transcript, OSError]]) -> None:
    """What is missing in the totals."""
    for transcript, error in refused[:_SHOWN]:
        remark("cost", f"{transcript.path} is not counted: {error.strerror or error}")
    if len(refused) > _SHOWN:
        remark("cost", f"{len(refused) - _SHOWN} more transcripts are not counted")
    if read.unread:
        remark("cost", f"{read.unread} lines are not counted: they are too long, or have another form than is known")


def _print_json(rows: list[Total], by: str) -> None:
    import json

    for row in rows:
        owner, *names = row.key or (None,)
        key: dict[str, object] = {} if owner is None else {"uid": owner}
        if by == "agent":
            key |= {"session": names[0], "agent": names[1] or None, "agent_type": row.agent_type}
        elif by in BY:
            key[by] = names[0]
        said = {
            **key,
            "last": row.last.isoformat(),
            "models": sorted(row.models),
            "answers": row.answers,
            "input_tokens": row.input,
            "output_tokens": row.output,
            "cache_write_5m_tokens": row.cache_writes_5m,
            "cache_write_1h_tokens": row.cache_writes_1h,
            "cache_read_tokens": row.cache_reads,
            "web_searches": row.web_searches,
            "cost_usd": None if row.unknown else float(row.cost),
            "known_cost_usd": float(row.cost),
            "unknown_models": sorted(row.unknown),
        }
        print(json.dumps(said))


def _print_table(rows: list[Total], options: argparse.Namespace) -> None:
    from observatory.cli.table import print_table

    names = {"session": ("SESSION",), "agent": ("SESSION", "AGENT"), "model": (), "day": ("DAY",)}[options.by]
    print_table(
        ("USER", *names, *(() if options.by == "day" else ("LAST",)), *_COUNTS),
        [_cells(row, options.by, len(names), options.utc) for row in rows],
    )


def _cells(row: Total, by: str, width: int, utc: bool) -> list[str]:
    from observatory.feed.times import shown
    from observatory.identity.names import user_name

    names = [str(name) for name in row.key[1:]]
    if not row.key:
        names = ["all", *[""] * (width - 1)][:width]
    elif by == "agent":
        names = [names[0][:8], row.agent_type or names[1] or "main"]
    elif by == "session":
        names = [names[0][:8]]
    owner = user_name(int(row.key[0])) if row.key else ("" if width else "all")
    return [
        owner,
        *names[:width],
        *([] if by == "day" else [shown(row.last.isoformat(), utc)]),
        *(f"{count:,}" for count in (row.input, row.output, row.cache_writes_5m, row.cache_writes_1h, row.cache_reads)),
        _dollars(row),
        ", ".join(sorted(row.models)),
    ]


def _dollars(row: Total) -> str:
    """To the cent, and below a dollar to the hundredth of one."""
    known = f"${row.cost:,.2f}" if row.cost >= 1 or not row.cost else f"${row.cost:.4f}"
    if not row.unknown:
        return known
    return f"{known} and unknown" if row.unknown != row.models else "unknown model"
