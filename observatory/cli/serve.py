"""`observatory serve`: listen on a Unix socket, and write down who says what."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from observatory.address import DEFAULT_SOCKET, SOCKET_VARIABLE, own_socket
from observatory.errors import ExitStatus, ObservatoryError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Mapping

    from observatory.redaction.own_rules import OwnRule
    from observatory.service.assembly import Settings

_LOG_GRACE = 1.0
"""Seconds that the reader of the log gets at the end to take what waits."""
_SIZES = {"k": 1 << 10, "M": 1 << 20}
_UNITS = {"h": 3600, "d": 86400, "w": 7 * 86400}


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `serve` to the command line."""
    parser = subparsers.add_parser(
        "serve",
        help="listen on a Unix socket and record who sends what",
        description="Listen on a Unix socket, and record each event with its sender's kernel-verified credentials.",
    )
    parser.add_argument(
        "--socket",
        metavar="PATH",
        help=f"where to listen (default: ${SOCKET_VARIABLE}, else {DEFAULT_SOCKET}, and claude-observatory.sock in "
        "$XDG_RUNTIME_DIR as well where that is the user's alone and neither --mode nor --group lets others in)",
    )
    parser.add_argument("--mode", default="0660", metavar="OCTAL", help="mode bits of the sockets (default: 0660)")
    parser.add_argument("--group", metavar="NAME|GID", help="group of the sockets (default: what the kernel gives)")
    parser.add_argument(
        "--readers", metavar="NAME|GID", help="group whose members read everyone's events, not only their own"
    )
    parser.add_argument(
        "--database",
        metavar="PATH",
        help="where to keep the events (default: a file for each socket in the user's state directory)",
    )
    parser.add_argument(
        "--sync",
        choices=("normal", "full"),
        default="normal",
        help="what survives a power failure: all but the last events (normal), or every acknowledged event (full); a"
        " crash of the server loses nothing in either case",
    )
    parser.add_argument(
        "--retain", metavar="TIME", help="delete events that are older, such as 90d (h, d, w; default: keep them all)"
    )
    parser.add_argument(
        "--max-size",
        metavar="SIZE",
        help="delete the oldest events while all take more than this, such as 500M (M, G; default: keep them all)",
    )
    parser.add_argument(
        "--keep-values",
        metavar="SIZE",
        default="64k",
        help="keep so much of a longer text in an event, and its size and SHA-256 in the field _cut (k, M, or `all`; "
        "default: 64k)",
    )
    secrets = parser.add_mutually_exclusive_group()
    secrets.add_argument(
        "--redact-with",
        metavar="FILE",
        help="also remove what these rules find, besides the secrets of known forms; TOML in gitleaks's format",
    )
    secrets.add_argument("--no-redact", action="store_true", help="keep, print and forward the secrets in events too")
    parser.add_argument(
        "--output-socket",
        metavar="PATH",
        help="write events to the clients that connect there instead of standard output",
    )
    parser.add_argument("--tee", action="store_true", help="with --output-socket: to standard output as well")
    pretty = parser.add_mutually_exclusive_group()
    pretty.add_argument("--pretty-json", action="store_true", help="indented JSON on standard output")
    pretty.add_argument("--pretty-yaml", action="store_true", help="YAML on standard output")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Serve until SIGTERM or SIGINT."""
    from observatory.service.log import Log
    from observatory.service.outputs.standard_streams import fill_standard_streams

    fill_standard_streams()
    log = Log(2)
    try:
        return _serve(options, log)
    finally:
        log.close(_LOG_GRACE)


def _serve(options: argparse.Namespace, log: Callable[[str], None]) -> ExitStatus:
    from observatory.service.assembly import serve

    try:
        settings = _settings(options)
    except ObservatoryError as error:
        log(str(error))
        return error.status
    except ValueError as error:
        log(str(error))
        return ExitStatus.USAGE
    except ImportError as error:
        log(str(error))
        return ExitStatus.FAILED
    try:
        serve(settings, log)
    except ObservatoryError as error:
        log(str(error))
        return error.status
    return ExitStatus.DONE


def _settings(options: argparse.Namespace) -> Settings:
    """What the options ask for. Raises ValueError, ImportError or ObservatoryError, with a sentence, if it can't be."""
    from observatory.listening import Specification, group_number, parse_mode
    from observatory.redaction.redactor import Redactor
    from observatory.service.assembly import Settings
    from observatory.store import Sync

    mode = parse_mode(options.mode)
    group = None if options.group is None else group_number(options.group)
    if options.tee and options.output_socket is None:
        raise ValueError("--tee goes with --output-socket, which is missing")
    pretty = options.pretty_json or options.pretty_yaml
    if pretty and options.output_socket is not None and not options.tee:
        raise ValueError("with --output-socket nothing is written on standard output, which could be pretty: add --tee")
    path = options.socket or os.environ.get(SOCKET_VARIABLE)
    well_known = None
    if not path:
        path = DEFAULT_SOCKET if mode & 0o007 or group is not None else own_socket()
        well_known = None if path == DEFAULT_SOCKET else Specification(DEFAULT_SOCKET, mode, group)
    return Settings(
        main=Specification(path, mode, group),
        well_known=well_known,
        output=None if options.output_socket is None else Specification(options.output_socket, mode, group),
        standard_output=options.output_socket is None or options.tee,
        render=_render(options),
        database=options.database,
        sync=Sync(options.sync),
        readers=None if options.readers is None else group_number(options.readers),
        retain=None if options.retain is None else _seconds(options.retain),
        most=None if options.max_size is None else _bytes("--max-size", options.max_size, {"M": 1 << 20, "G": 1 << 30}),
        keep=None if options.keep_values == "all" else _bytes("--keep-values", options.keep_values, _SIZES),
        redactor=None if options.no_redact else Redactor(_own_rules(options.redact_with)),
    )


def _own_rules(path: str | None) -> list[OwnRule]:
    if path is None:
        return []
    from observatory.redaction.own_rules import own_rules

    return own_rules(Path(path))


def _render(options: argparse.Namespace) -> Callable[[bytes], bytes] | None:
    """What makes of an event's line what is written on standard output; `None`: it's written as it is."""
    from observatory.service.outputs.pretty import pretty_json, pretty_yaml, terminal_line

    terminal = os.isatty(1)
    if not options.pretty_json and not options.pretty_yaml:
        return terminal_line if terminal else None
    colours = terminal and "NO_COLOR" not in os.environ
    return pretty_json(colours=colours) if options.pretty_json else pretty_yaml(colours=colours)


def _bytes(option: str, text: str, units: Mapping[str, int]) -> int:
    match = re.fullmatch(f"([1-9][0-9]{{0,5}})([{''.join(units)}])", text, re.ASCII)
    if match is None:
        examples = f"64{next(iter(units))} or 1{list(units)[-1]}"
        raise ValueError(
            f"{option} {text!r} is not a size such as {examples}{', nor `all`' * (option == '--keep-values')}"
        )
    return int(match[1]) * units[match[2]]


def _seconds(text: str) -> int:
    match = re.fullmatch("([1-9][0-9]{0,5})([hdw])", text, re.ASCII)
    if match is None:
        raise ValueError(f"--retain {text!r} is not a time such as 90d, 12h or 4w")
    return int(match[1]) * _UNITS[match[2]]
