"""harness run: build a world in a place, let its users try, and compare what happened with the oracle."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from harness.cli import place_options
from harness.cli.exit_status import AGREE, DISAGREE
from harness.cli.outputs import say_unwritten
from harness.engines.error import PlaceError
from harness.engines.registry import choose
from harness.scenarios import find
from harness.world import ROOT

if TYPE_CHECKING:
    import argparse

    from harness.engines.protocol import Place
    from harness.report.output_file import OutputError
    from harness.trials.run import Run


def add_options(parser: argparse.ArgumentParser) -> None:
    """`harness run WORLD`."""
    parser.add_argument("world", metavar="WORLD", help="a world's TOML file, or the name of a scenario")
    place_options.add_options(parser)
    parser.add_argument("--json", action="store_true", help="one JSON object for each attempt, and a summary last")
    parser.add_argument("--html", metavar="FILE", type=Path, help="also write one self-contained HTML page")
    parser.add_argument("--junit", metavar="FILE", type=Path, help="also write JUnit XML")
    parser.add_argument("--keep", action="store_true", help="keep the world up afterwards, until Enter or Ctrl-C")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run it; 0 if all agree, 1 if anything does not, 2 or 74 if a report was not written."""
    from harness.report.output_file import expect_writable
    from harness.trials.run import run_world

    expect_writable(options.html, options.junit)
    scenario = find(options.world)
    engine = choose(options.engine, options.image)
    reproduce = shlex.join(
        [
            *("harness", "run", scenario.source, "--engine", engine.name),
            *(("--image", options.image) if options.image else ()),
        ]
    )
    with engine.open(image=options.image) as place:
        done = run_world(scenario.world, place, reproduce, scenario.story)
        _print(done, options)
        unwritten = say_unwritten(_write(done, options))
        if options.keep:
            _wait(place)
    return unwritten or (AGREE if done.agree else DISAGREE)


def _write(done: Run, options: argparse.Namespace) -> list[OutputError]:
    from harness.report.junit import junit
    from harness.report.output_file import write_outputs
    from harness.report.run_html import html_page

    return write_outputs([(options.html, lambda: html_page(done)), (options.junit, lambda: junit(done))])


def _print(done: Run, options: argparse.Namespace) -> None:
    from harness.report.jsonlines import json_lines
    from harness.report.run_terminal import print_run
    from harness.report.text import visible

    if options.json:
        for line in json_lines(done):
            print(line)
        for notice in done.notices:
            print(f"harness: {visible(notice)}", file=sys.stderr)
        for difference in (text for verdict in done.verdicts for text in verdict.differences):
            print(f"harness: {visible(difference)}", file=sys.stderr)
    else:
        print_run(done, sys.stdout)
    sys.stdout.flush()


def _wait(place: Place) -> None:
    print("harness: the world stays until you press Enter", file=sys.stderr)
    try:
        enter = shlex.join(place.interactive(ROOT))
        print(f"harness: look around in it with: {enter}", file=sys.stderr)
    except PlaceError as error:
        print(f"harness: {error}", file=sys.stderr)
    try:
        sys.stdin.readline()
    except KeyboardInterrupt:
        print(file=sys.stderr)
