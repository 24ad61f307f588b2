"""Install hooks in Claude Code's settings, so that every event of a session goes to the server."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from observatory.address import default_socket
from observatory.cli.common import SOCKET_HELP, Stop, server_uids, stop
from observatory.cli.exit_status import DONE, FAILED, NOT_PERMITTED, USAGE
from observatory.text import printable, printable_lines

if TYPE_CHECKING:
    import argparse

    from observatory.hooks.files import Change

SUN_PATH_BYTES = 107
"""The longest path of a Unix socket on Linux, less the zero byte that ends it (unix(7)); 103 on macOS and the BSDs."""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `install-hooks`."""
    parser = subparsers.add_parser(
        "install-hooks",
        help="add hooks to Claude Code's settings",
        description="Add a hook for every event to Claude Code's settings: for those that `claude --version` knows, or "
        "for all if there is no `claude` in PATH. All else in the file stays as it is, byte for byte; the file as it "
        "was is kept beside it. Prints the change.",
    )
    add_scope(parser)
    parser.add_argument("--socket", metavar="PATH", help=SOCKET_HELP)
    parser.add_argument(
        "--server-user",
        metavar="USER",
        action="append",
        default=[],
        help="also send to a server of this user (name or uid); may be given again. A server of one's own, or of "
        "root, is always sent to; another user's never gets anything",
    )
    parser.set_defaults(run=run)


def add_scope(parser: argparse.ArgumentParser) -> None:
    """Add what `install-hooks` and `uninstall-hooks` share."""
    scope = parser.add_mutually_exclusive_group(required=True)
    scope.add_argument(
        "--global",
        dest="everywhere",
        action="store_true",
        help="all sessions of this user: settings.json in $CLAUDE_CONFIG_DIR, else in ~/.claude",
    )
    scope.add_argument(
        "--project",
        action="store_true",
        help="sessions in the current directory: .claude/settings.json",
    )
    parser.add_argument("--dry-run", action="store_true", help="print the change, and change nothing")


def settings_directory(everywhere: bool) -> Path:
    """The `.claude` directory of a scope."""
    if not everywhere:
        return Path.cwd() / ".claude"
    configured = os.environ.get("CLAUDE_CONFIG_DIR")
    return Path(configured).absolute() if configured else Path.home() / ".claude"


def run(options: argparse.Namespace) -> int:
    """Install the hooks."""
    from observatory.hooks.files import SettingsError

    try:
        return _install(options)
    except SettingsError as error:
        return stop(options, Stop(str(error), status_of(error)))
    except Stop as error:
        return stop(options, error)


def _install(options: argparse.Namespace) -> int:
    from observatory.hooks import event_names, files, settings
    from observatory.hooks.command import Recipient
    from observatory.hooks.program import client_version

    uids = server_uids(options)
    recipient = Recipient(_absolute(options.socket or default_socket(uids)), tuple(sorted(uids)))
    path = files.settings_path(settings_directory(options.everywhere))
    version = client_version()
    wanted = settings.handlers(event_names.listened(version), recipient)
    change = files.plan_install(path, wanted)
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
    if unknown := [event for event in event_names.listened(None) if event not in wanted]:
        here = ".".join(map(str, version or ()))
        print(f"Left out, as Claude Code {here} doesn't know them yet: {', '.join(unknown)}.")
    return DONE


def _absolute(socket: str) -> str:
    """The path from the root, since a hook runs in any directory. Raises Stop for one that no socket can have."""
    path = str(Path(socket).absolute())
    try:
        size = len(path.encode())
    except UnicodeEncodeError:
        raise Stop("the socket's path is not UTF-8, and a settings file must be", USAGE) from None
    if size > SUN_PATH_BYTES:
        raise Stop(
            f"{path} has {size} bytes, and a socket's path at most {SUN_PATH_BYTES}; choose a shorter one", USAGE
        )
    return path


def show(change: Change) -> None:
    """Print what a change changes."""
    sys.stdout.write(printable_lines(change.diff()))


def status_of(error: Exception) -> int:
    """The exit status that belongs to a SettingsError."""
    from observatory.hooks.files import ForbiddenError

    return NOT_PERMITTED if isinstance(error, ForbiddenError) else FAILED
