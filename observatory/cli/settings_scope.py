"""Which settings file a command is about: which agent's, for all sessions or one directory's. What it would change."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from observatory.text import printable_lines

if TYPE_CHECKING:
    import argparse

    from observatory.hooks.files import SettingsChange


def add_scope_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that say which sessions are meant, and whose."""
    from observatory.hooks.clients import CLIENTS

    parser.add_argument(
        "--client",
        choices=tuple(CLIENTS),
        default="claude",
        help="whose hooks: Claude Code's, Codex's (hooks.json in $CODEX_HOME, else in ~/.codex, or in .codex), "
        "Gemini CLI's (settings.json in ~/.gemini, or in .gemini) or Cursor's (hooks.json in ~/.cursor, or in .cursor)",
    )
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


def show(change: SettingsChange) -> None:
    """Print what a change changes."""
    sys.stdout.write(printable_lines(change.diff()))
