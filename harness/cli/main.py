"""The `harness` command: one module for each subcommand."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from typing import TYPE_CHECKING

from harness.cli import capture, check, explain, images, merge, run, scenarios, shell, sweep
from harness.cli.exit_status import UNAVAILABLE, USAGE
from harness.engines.protocol import PlaceError
from harness.report.output_file import OutputError
from harness.report.text import visible
from harness.world import WorldError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType


def _commands() -> tuple[ModuleType, ...]:
    return run, check, scenarios, explain, capture, shell, sweep, merge, images


def parser() -> argparse.ArgumentParser:
    """The whole command line; each subcommand's module adds its own part by `add_parser(subparsers)`."""
    top = argparse.ArgumentParser(prog="harness", description=sys.modules["harness"].__doc__)
    subparsers = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command in _commands():
        command.add_parser(subparsers)
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one subcommand; what a person must know is one sentence on standard error."""
    options = parser().parse_args(arguments)
    try:
        status: int = options.run(options)
        sys.stdout.flush()
    except PlaceError as error:
        print(f"harness: {visible(str(error))}", file=sys.stderr)
        return UNAVAILABLE
    except (OutputError, WorldError) as error:
        print(f"harness: {visible(str(error))}", file=sys.stderr)
        return USAGE
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # Whoever read has read enough (`| head`). What is still buffered must not fail again when Python ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 128 + signal.SIGPIPE
    return status
