"""`observatory completion`: a shell's completion of this command, made from its parser."""

from __future__ import annotations

from typing import TYPE_CHECKING

from observatory.errors import ExitStatus, ObservatoryError

if TYPE_CHECKING:
    import argparse

SHELLS = ("bash", "zsh")


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `completion`."""
    parser = subparsers.add_parser(
        "completion",
        help="print a shell's completion script",
        description="Print a script that completes this command's words in a shell. For bash: observatory completion "
        "bash > ~/.local/share/bash-completion/completions/observatory",
    )
    parser.add_argument("shell", choices=SHELLS, help="which shell")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print the script."""
    try:
        import shtab
    except ImportError:
        raise ObservatoryError("this needs shtab: pip install 'claude-observatory[completion]'") from None
    print(shtab.complete(options.parser, options.shell))
    return ExitStatus.DONE
