"""harness sweep: compare the oracle with the kernel, exhaustively over modes and then over random worlds."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from harness.cli import place_options
from harness.cli.exit_status import AGREE, DISAGREE
from harness.engines.registry import choose
from harness.report.output_file import OutputError, write_output
from harness.report.text import visible
from harness.trials.shards import Shard, shard_argument
from harness.world import dumps

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.progress import Progress

    from harness.engines.protocol import Place
    from harness.world import World

ONCE = "this was seen once, and did not come again when the same world was tried once more"
WEEK = 7 * 24 * 60
SHOWN = 20
"""How many disagreements are said and saved; all are counted."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """`harness sweep`."""
    place_options.add_options(parser)
    parser.add_argument("--worlds", type=_count, default=1000, metavar="N", help="random worlds after the grid (1000)")
    parser.add_argument(
        "--minutes", type=_minutes, metavar="M", help="as many random worlds as these minutes allow instead"
    )
    parser.add_argument("--seed", type=_count, default=0, metavar="N", help="draw other random worlds (0)")
    parser.add_argument(
        "--shard",
        type=shard_argument,
        default=Shard(),
        metavar="K/N",
        help="only the K-th of N equal parts of all that",
    )
    parser.add_argument(
        "--json",
        action="store_true",
        help="one JSON object for each disagreement, and a summary last, as `harness merge` reads them",
    )
    parser.set_defaults(run=run)


def _count(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a count")
    return int(text)


def _minutes(text: str) -> float:
    with contextlib.suppress(ValueError):
        minutes = float(text)
        if 0 < minutes <= WEEK:
            return minutes
    raise argparse.ArgumentTypeError(f"{text!r} is no number of minutes: write one above 0, up to {WEEK}, a week's")


def run(options: argparse.Namespace) -> int:
    """Sweep; 0 if the oracle and the kernel agree everywhere, 1 if they don't."""
    found = Found(as_json=options.json)
    with choose(options.engine, options.image).open(image=options.image) as place, _bar() as bar:
        facts = place.facts
        began = time.monotonic()
        _grid(place, options.shard, bar, found)
        _random(place, options, bar, found)
        seconds = time.monotonic() - began
    summary = {
        "attempts": found.attempts,
        "disagreements": found.disagreements,
        "seconds": round(seconds, 1),
        "engine": facts.engine,
        "kernel": facts.kernel,
        "shard": str(options.shard),
        "seed": options.seed,
    }
    if options.json:
        print(json.dumps(summary))
    else:
        print(
            "{attempts:,} attempts, {disagreements:,} disagreements, {seconds} s, {engine}, {kernel}".format(**summary)
        )
    return DISAGREE if found.disagreements else AGREE


class Found:
    """Counts, and says what disagrees as it is found; each world that shows it is saved in the working directory.

    Where somebody else has put something under its name there, the world itself is said.
    """

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json
        self.attempts = 0
        self.disagreements = 0

    def add(self, world: World, differences: Sequence[str]) -> None:
        """One disagreement and the smallest world that shows it."""
        self.disagreements += 1
        if self.disagreements > SHOWN:
            return
        toml = dumps(world)
        file = Path(f"disagreement-{self.disagreements}.toml")
        again = f"  harness run {file}"
        try:
            write_output(file, toml)
        except OutputError as error:
            print(f"harness: {visible(str(error))}", file=sys.stderr)
            again = toml
        if self.as_json:
            print(json.dumps({"world": str(file), "differences": list(differences), "toml": toml}))
        else:
            print(*map(visible, differences), again, sep="\n")


def _grid(place: Place, shard: Shard, bar: Progress, found: Found) -> None:
    from harness.trials.grid_sweep import MODES, WHO, sweep_grid

    modes = shard.of(MODES)
    task = bar.add_task("grid", total=len(modes) * len(MODES) * len(WHO))
    for attempts, differing in sweep_grid(place, modes):
        found.attempts += attempts
        for each in differing:
            found.add(each.world, [each.sentence])
        bar.advance(task, attempts)


def _random(place: Place, options: argparse.Namespace, bar: Progress, found: Found) -> None:
    from harness.trials.random_sweep import random_sweep

    shard: Shard = options.shard
    until = None if options.minutes is None else time.monotonic() + 60 * options.minutes
    count = len(shard.of(range(options.worlds))) if until is None else sys.maxsize
    task = bar.add_task("random worlds", total=None if until else count)
    before = 0
    for progress in random_sweep(place, count, options.seed * shard.parts + shard.part - 1):
        found.attempts += progress.attempts - before
        before = progress.attempts
        if progress.found is not None:
            differences = [text for verdict in progress.found.verdicts for text in verdict.differences]
            if not progress.found.comes_again:
                differences.append(ONCE)
            found.add(progress.found.world, differences)
        bar.update(task, completed=progress.worlds)
        if until is not None and time.monotonic() >= until:
            return


def _bar() -> Progress:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    )
