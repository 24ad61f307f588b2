"""Install hooks in Claude Code's settings, so that every event of a session goes to the server."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from observatory.cli import DONE, FAILED, NOT_PERMITTED, USAGE

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
        description="Add a hook for every event to Claude Code's settings. All else in the file stays as it is, byte for "
        "byte; the file as it was is kept beside it. Prints the change.",
    )
    add_scope(parser)
    parser.add_argument(
        "--socket",
        metavar="PATH",
        help="the server's socket (default: $CLAUDE_UNIX_HOOK_WATCHER, else /tmp/claude-observatory.sock)",
    )
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
    from observatory.client import UnknownUserError, default_socket, uid_of
    from observatory.hooks import events, files, settings
    from observatory.hooks.command import Recipient

    socket = str(Path(options.socket or default_socket()).absolute())
    try:
        encoded = socket.encode()
        uids = tuple(sorted({uid_of(user) for user in options.server_user}))
    except UnicodeEncodeError:
        return complain("install-hooks", "the socket's path is not UTF-8, and a settings file must be", USAGE)
    except UnknownUserError as error:
        return complain("install-hooks", str(error), USAGE)
    if len(encoded) > SUN_PATH_BYTES:
        return complain(
            "install-hooks",
            f"{socket} has {len(encoded)} bytes, and a socket's path at most {SUN_PATH_BYTES}; choose a shorter one",
            USAGE,
        )
    try:
        path = files.settings_path(settings_directory(options.everywhere))
        wanted = settings.handlers(events.LISTENED, Recipient(socket, uids))
        change = files.plan_install(path, wanted)
        show(change)
        if not change.changes:
            print(f"{path} has all {len(wanted)} hooks already.")
        elif options.dry_run:
            print(f"Nothing was changed: without --dry-run, {path} would get {len(wanted)} hooks.")
        else:
            files.make(change)
            kept = (
                f" The file without them is kept as {files.backup_path(path).name} beside it." if change.backup else ""
            )
            print(f"{path} has {len(wanted)} hooks, which send to {socket}.{kept}")
    except files.SettingsError as error:
        return complain("install-hooks", str(error), status_of(error))
    return DONE


def show(change: Change) -> None:
    """Print what a change changes."""
    sys.stdout.write(change.diff())


def status_of(error: Exception) -> int:
    """The exit status that belongs to a SettingsError."""
    from observatory.hooks.files import ForbiddenError

    return NOT_PERMITTED if isinstance(error, ForbiddenError) else FAILED


def complain(command: str, sentence: str, status: int) -> int:
    """Print one sentence for a person, and give the exit status back."""
    print(f"observatory {command}: {sentence}", file=sys.stderr)
    return status
