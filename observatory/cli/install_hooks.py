"""Install hooks in an agent's settings, so that every event of a session goes to the server."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from observatory.address import LONGEST_PATH
from observatory.cli.server_options import SOCKET_HELP, server_uids, socket_path
from observatory.cli.settings_scope import add_scope_options, show
from observatory.errors import ExitStatus, ObservatoryError
from observatory.text import printable

if TYPE_CHECKING:
    import argparse


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `install-hooks`."""
    parser = subparsers.add_parser(
        "install-hooks",
        help="add hooks to an agent's settings",
        description="Add a hook for every event to an agent's settings, Claude Code's unless --client names another: "
        "for those that the installed `claude` knows, or for all if there is no `claude` in PATH. Everything else in "
        "the file stays as it is, byte for byte; a copy of the file as it was is kept beside it. Prints the change.",
    )
    add_scope_options(parser)
    parser.add_argument("--socket", metavar="PATH", help=SOCKET_HELP)
    parser.add_argument(
        "--server-user",
        metavar="USER",
        action="append",
        default=[],
        help="also send to a server of this user (name or uid); may be given again. Hooks always send to your own "
        "server or root's, and never to another user's",
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Install the hooks."""
    from observatory.hooks import event_names, files, settings
    from observatory.hooks.clients import CLIENTS
    from observatory.hooks.command import Recipient
    from observatory.hooks.place import place_of
    from observatory.hooks.program import client_version

    uids = server_uids(options)
    socket = _absolute(socket_path(options))
    trusted = tuple(sorted(uids))
    place = place_of(socket, trusted)
    # A project's settings are for whoever works in it, on whatever machine, so its hooks look again.
    recipient = Recipient(socket, trusted, "unknown" if place == "sure" and not options.everywhere else place)
    client = CLIENTS[options.client]
    path = files.settings_path(client.path(options.everywhere), client.file)
    version = None if client.events else client_version()
    wanted = settings.handlers(client.events or event_names.listened(version), recipient, client)
    change = files.plan_install(path, wanted, flat=client.flat)
    show(change)
    if not change.changes:
        print(printable(f"{path} has all {len(wanted)} hooks already."))
    elif options.dry_run:
        print(printable(f"Nothing was changed: without --dry-run, {path} would get {len(wanted)} hooks."))
    else:
        files.make(change)
        kept = (
            "" if change.backup is None else f" {files.backup_path(path).name} beside it keeps the file without them."
        )
        print(printable(f"{path} has {len(wanted)} hooks, which send to {recipient.socket}.{kept}"))
    if version is not None and (unknown := [name for name in event_names.listened(None) if name not in wanted]):
        here = ".".join(map(str, version))
        print(f"Left out, as Claude Code {here} doesn't know them yet: {', '.join(unknown)}.")
    return ExitStatus.DONE


def _absolute(socket: str) -> str:
    """The path from the root, since a hook runs in any directory, and in one spelling, since the client runs equal
    commands once.

    Raises ObservatoryError for one that no socket can have.
    """
    path = str(Path(socket).absolute())
    if ".." in Path(path).parts:
        path = os.path.join(os.path.realpath(Path(path).parent), Path(path).name)
    try:
        size = len(path.encode())
    except UnicodeEncodeError:
        raise ObservatoryError(
            "the socket's path is not UTF-8, and a settings file must be", ExitStatus.USAGE
        ) from None
    if size > LONGEST_PATH:
        raise ObservatoryError(
            f"{path} has {size} bytes, and a socket's path at most {LONGEST_PATH}; choose a shorter one",
            ExitStatus.USAGE,
        )
    return path
