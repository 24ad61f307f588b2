"""`observatory compact`: make a database's file as small as what is in it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from observatory.address import DEFAULT_SOCKET, SOCKET_VARIABLE
from observatory.errors import ExitStatus

if TYPE_CHECKING:
    import argparse


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `compact`."""
    parser = subparsers.add_parser(
        "compact",
        help="make a database's file as small as what is in it",
        description="Rewrite a database without what was deleted, while no server uses it. That needs twice its "
        "size of free space. A server with --retain or --max-size gives back the space of deleted events by itself, in "
        "a database of an earlier version only after this command.",
    )
    parser.add_argument("--database", metavar="PATH", help="the database (default: as `serve` finds it)")
    parser.add_argument("--socket", metavar="PATH", help="the socket of the server whose database it is")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Compact, and say by how much."""
    from observatory.store import default_path
    from observatory.store.compaction import compact

    socket = options.socket or os.environ.get(SOCKET_VARIABLE) or DEFAULT_SOCKET
    path = Path(options.database or default_path(socket))
    before, after = compact(path)
    print(f"{path} has {_megabytes(after)} now, and had {_megabytes(before)}")
    return ExitStatus.DONE


def _megabytes(size: int) -> str:
    return f"{size / (1 << 20):.1f} MiB"
