"""`observatory completion`: a shell's completion of this command, as it was made from its parser."""

from __future__ import annotations

import sys
from importlib.resources import files
from typing import TYPE_CHECKING

from observatory.errors import ExitStatus

if TYPE_CHECKING:
    import argparse

SHELLS = ("bash", "zsh", "fish")


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `completion`."""
    parser = subparsers.add_parser(
        "completion",
        help="print a shell's completion script",
        description="Print a script that completes this command's words in a shell, for one that does not find the "
        "installed one. For bash: mkdir -p ~/.local/share/bash-completion/completions; observatory completion bash > "
        "~/.local/share/bash-completion/completions/observatory",
    )
    parser.add_argument("shell", choices=SHELLS, help="which shell")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print the script."""
    script = files("observatory.cli") / "completions" / f"observatory.{options.shell}"
    sys.stdout.write(script.read_text(encoding="utf-8"))
    return ExitStatus.DONE
