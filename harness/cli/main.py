"""The `harness` command: one module for each subcommand."""

from __future__ import annotations

import sys

from harness.cli.ending import OUTPUT_LOST, ended

TYPE_CHECKING = False
"""As in `typing`: what is imported here is imported before an interrupt ends the command in silence."""

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence
    from types import ModuleType


def _commands() -> tuple[ModuleType, ...]:
    from harness.cli import capture, check, explain, images, merge, run, scenarios, shell, sweep

    return run, check, scenarios, explain, capture, shell, sweep, merge, images


def parser() -> argparse.ArgumentParser:
    """The whole command line; each subcommand's module adds its own part by `add_parser(subparsers)`."""
    import argparse

    top = argparse.ArgumentParser(prog="harness", description=sys.modules["harness"].__doc__)
    subparsers = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command in _commands():
        command.add_parser(subparsers)
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one subcommand; what a person must know is one sentence on standard error."""
    return ended("harness", lambda: _run(arguments))


def _run(arguments: Sequence[str] | None) -> int:
    from harness.cli.exit_status import UNAVAILABLE, USAGE
    from harness.engines.protocol import PlaceError
    from harness.report.output_file import OutputError, WriteError
    from harness.report.text import visible
    from harness.world import WorldError

    options = parser().parse_args(arguments)
    try:
        status: int = options.run(options)
    except (PlaceError, OutputError, WorldError) as error:
        print(f"harness: {visible(str(error))}", file=sys.stderr)
        if isinstance(error, WriteError):
            return OUTPUT_LOST
        return UNAVAILABLE if isinstance(error, PlaceError) else USAGE
    return status
