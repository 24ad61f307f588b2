"""`observatory serve`: listen on a Unix socket, and write down who says what."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

    from observatory.events import Event

DEFAULT_SOCKET = "/tmp/claude-observatory.sock"


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `serve` to the command line."""
    parser = subparsers.add_parser(
        "serve",
        help="listen on a Unix socket and write down who says what",
        description="Listen on a Unix socket, and write each event with its sender's kernel-verified credentials.",
    )
    parser.add_argument(
        "--socket",
        metavar="PATH",
        default=os.environ.get("CLAUDE_UNIX_HOOK_WATCHER") or DEFAULT_SOCKET,
        help="where to listen (default: $CLAUDE_UNIX_HOOK_WATCHER, else " + DEFAULT_SOCKET + ")",
    )
    parser.add_argument("--mode", default="0660", metavar="OCTAL", help="mode bits of the socket (default: 0660)")
    parser.add_argument("--group", metavar="NAME|GID", help="group of the socket")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Serve until SIGTERM or SIGINT."""
    from observatory.listening import ListenError, Specification, group_number, listen, parse_mode
    from observatory.service import Service

    try:
        group = None if options.group is None else group_number(options.group)
        wanted = Specification(options.socket, parse_mode(options.mode), group)
    except ValueError as error:
        _log(str(error))
        return 2
    try:
        listener = listen(wanted)
    except ListenError as error:
        _log(str(error))
        return error.status
    _log(f"listening on {listener.path} mode {listener.mode:04o} owner {listener.owner} group {listener.group}")
    try:
        Service(listener, _print, _log).run()
    finally:
        listener.remove()
        listener.sock.close()
    return 0


def _print(events: list[Event]) -> None:
    sys.stdout.buffer.write(b"".join([event.line + b"\n" for event in events]))
    sys.stdout.buffer.flush()


def _log(message: str) -> None:
    print(message, file=sys.stderr, flush=True)
