"""harness scenarios: the problems that the library knows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.cli.exit_status import AGREE
from harness.scenarios import library

if TYPE_CHECKING:
    import argparse


def add_options(parser: argparse.ArgumentParser) -> None:
    """`harness scenarios`."""
    parser.set_defaults(run=run)


def run(_options: argparse.Namespace) -> int:
    """List each with what somebody sees when it has struck."""
    from rich.console import Console
    from rich.padding import Padding
    from rich.text import Text

    console = Console(highlight=False, emoji=False)
    for scenario in library():
        console.print(Text.assemble((scenario.source, "bold"), "  ", scenario.world.about))
        if scenario.story is not None:
            console.print(Padding(Text(scenario.story.symptom, style="dim"), (0, 0, 1, 4)))
    return AGREE
