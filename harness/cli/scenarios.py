"""harness scenarios: the problems that the library knows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.cli.exit_status import AGREE
from harness.scenarios import library

if TYPE_CHECKING:
    import argparse


def add_options(parser: argparse.ArgumentParser) -> None:
    """`harness scenarios`."""
    parser.add_argument("--json", action="store_true", help="one JSON object for each scenario")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """List each with what somebody sees when it has struck."""
    if options.json:
        import json
        from dataclasses import asdict

        for scenario in library():
            story = {} if scenario.story is None else asdict(scenario.story)
            print(json.dumps({"name": scenario.source, "about": scenario.world.about, **story}))
        return AGREE
    from rich.console import Console
    from rich.padding import Padding
    from rich.text import Text

    console = Console(highlight=False, emoji=False)
    whole = not console.is_terminal  # lines that a program reads are not broken
    for scenario in library():
        console.print(Text.assemble((scenario.source, "bold"), "  ", scenario.world.about), soft_wrap=whole)
        if scenario.story is not None:
            symptom = Text(scenario.story.symptom, style="dim")
            console.print(Text(f"    {symptom}\n") if whole else Padding(symptom, (0, 0, 1, 4)), soft_wrap=whole)
    return AGREE
