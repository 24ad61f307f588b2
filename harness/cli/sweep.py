"""harness sweep: hold the oracle against the kernel, exhaustively over modes and then over random worlds."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from rich.progress import Progress

    from harness.sweep import Disagreement

SHOWN = 100
"""How many disagreements are listed; all are counted."""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """`harness sweep`."""
    from harness.cli.run import add_place

    parser = subparsers.add_parser(
        "sweep", help="hold the oracle against the kernel in every mode, then in random worlds"
    )
    add_place(parser)
    parser.add_argument(
        "--shard", type=_shard, default=(1, 1), metavar="K/N", help="only the K-th of N equal parts of the grid"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object for each disagreement, and a summary last")
    parser.set_defaults(run=run)


def _shard(text: str) -> tuple[int, int]:
    import argparse

    part, _, parts = text.partition("/")
    if not (part.isdecimal() and parts.isdecimal() and 1 <= int(part) <= int(parts) <= 512):
        raise argparse.ArgumentTypeError(f"{text!r} is not K/N with 1 <= K <= N <= 512")
    return int(part), int(parts)


def run(options: argparse.Namespace) -> int:
    """Sweep; 0 if the oracle and the kernel agree everywhere, 1 if they don't."""
    from harness.cli import AGREE, DISAGREE
    from harness.engines import choose
    from harness.sweep import MODES, WHO, sweep_grid

    part, parts = options.shard
    modes = MODES[part - 1 :: parts]
    attempts = 0
    disagreements: list[Disagreement] = []
    with choose(options.engine).open(image=options.image) as place, _bar() as bar:
        grid = bar.add_task("grid", total=len(modes) * len(MODES) * len(WHO))
        started = time.monotonic()
        for made, differing in sweep_grid(place, modes):
            attempts += made
            disagreements += differing
            bar.advance(grid, made)
        seconds = time.monotonic() - started
        facts = place.facts
    _report(disagreements, as_json=options.json)
    summary = {
        "attempts": attempts,
        "disagreements": len(disagreements),
        "seconds": round(seconds, 1),
        "engine": facts.engine,
        "kernel": facts.kernel,
    }
    if options.json:
        print(json.dumps(summary))
    else:
        print(
            "{attempts:,} attempts, {disagreements:,} disagreements, {seconds} s, {engine}, {kernel}".format(**summary)
        )
    return DISAGREE if disagreements else AGREE


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


def _report(disagreements: Sequence[Disagreement], *, as_json: bool) -> None:
    for found in disagreements[:SHOWN]:
        if as_json:
            print(
                json.dumps(
                    {
                        "user": found.user,
                        "directory_mode": f"{found.directory_mode:04o}",
                        "socket_mode": f"{found.socket_mode:04o}",
                        "observed": found.observed,
                        "expected": found.expected,
                    }
                )
            )
        else:
            print(
                f"{found.user}: directory {found.directory_mode:04o}, socket {found.socket_mode:04o}: the kernel did "
                f"{found.observed}, the oracle says {found.expected}"
            )
    if len(disagreements) > SHOWN:
        print(f"harness: {len(disagreements) - SHOWN:,} more disagreements", file=sys.stderr)
    if disagreements:
        from harness.world import dumps

        world = disagreements[0].world
        Path(f"{world.name}.toml").write_text(dumps(world), encoding="utf-8")
        print(f"harness: the first one as a world: harness run {world.name}.toml", file=sys.stderr)
