"""Which settings file a command is about, all sessions' or those of one directory, and what it would change there."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from observatory.text import printable_json

if TYPE_CHECKING:
    import argparse

    from observatory.hooks.files import SettingsChange


def add_scope_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that say which sessions are meant."""
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


def show(change: SettingsChange) -> None:
    """Print what a change changes."""
    diff = change.diff()
    sys.stdout.write(printable_json(diff) if sys.stdout.isatty() else diff)
