"""harness completion: a shell's completion of this command, as it was made from its parser."""

from __future__ import annotations

import sys
from importlib.resources import files
from typing import TYPE_CHECKING

from harness.cli.exit_status import AGREE

if TYPE_CHECKING:
    import argparse

SHELLS = ("bash", "zsh", "fish")


def add_options(parser: argparse.ArgumentParser) -> None:
    """`harness completion SHELL`."""
    parser.description = (
        "Print a script that completes this command's words in a shell, for one that does not find the installed one. "
        "For bash: harness completion bash > ~/.local/share/bash-completion/completions/harness"
    )
    parser.add_argument("shell", choices=SHELLS, help="which shell")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print the script."""
    script = files("harness.cli") / "completions" / f"harness.{options.shell}"
    sys.stdout.write(script.read_text(encoding="utf-8"))
    return AGREE
