"""Take observatory's hooks out of an agent's settings again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from observatory.cli.settings_scope import add_scope_options, show
from observatory.errors import ExitStatus
from observatory.text import printable

if TYPE_CHECKING:
    import argparse

    from observatory.hooks import files


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `uninstall-hooks`."""
    parser = subparsers.add_parser(
        "uninstall-hooks",
        help="take the hooks out of an agent's settings",
        description="Take observatory's hooks out of an agent's settings, Claude Code's unless --client says another. "
        "A file that nobody has changed since the installation becomes what it was, byte for byte; in another one, all "
        "but the hooks stays. Prints the change.",
    )
    add_scope_options(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Uninstall the hooks."""
    from observatory.hooks import files
    from observatory.hooks.clients import CLIENTS

    client = CLIENTS[options.client]
    path = files.settings_path(client.path(options.everywhere), client.file)
    change = files.plan_uninstall(path)
    show(change)
    if not change.changes:
        print(printable(f"{path} has none of observatory's hooks."))
    elif options.dry_run:
        print(printable(f"Nothing was changed: without --dry-run, {path} would lose its hooks for observatory."))
    else:
        files.make(change)
        print(printable(_done(change, files.backup_path(path).name)))
    return ExitStatus.DONE


def _done(change: files.SettingsChange, backup: str) -> str:
    if change.after is None:
        return f"{change.path} is removed: it held nothing but observatory's hooks."
    if change.exact:
        return f"{change.path} is what it was before the hooks were installed."
    kept = f" The file before they were installed is still kept as {backup} beside it." if change.backup else ""
    return f"{change.path} has no hooks of observatory's any more; what else has changed since they came, stays.{kept}"
