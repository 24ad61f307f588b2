"""What people wait for: a place, a world that is run, a server that is checked; beside what each can't be without.

A place of namespaces needs new namespaces and a Python in them, one in Docker a container: `unshare` and `docker run`
make these with nothing in them. Rounds go through all of it in turn, and medians are shown. Places are opened by a
process that has opened one before; a run and a check are commands, from their start to their end. Exits 1 if one takes
longer than it is to take. `--engine E` for one engine alone.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from harness.engines.cache.images import OF_PLACES, SUITES
from harness.engines.protocol import PlaceError
from harness.engines.registry import choose

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from harness.engines.protocol import Place

ROUNDS = 5
SCENARIO, SUBJECT = "datadir-0750", "observatory"
PYTHON = [sys.executable, "-ISc", "pass"]
UNSHARE = ["unshare", "--mount", "--pid", "--fork", "--ipc", "--net", *PYTHON]
MOST = {
    "namespace": {"a place": 0.05, "a run": 0.3, "a check": 30.0},
    "docker": {"a place": 0.4, "a run": 1.0, "a check": 30.0},
}
"""Seconds that each is to take at most."""


@dataclass(slots=True)
class Row:
    """Something that is waited for, and how."""

    name: str
    wait: Callable[[], Place | None]
    most: float | None = None
    beside: str | None = None
    """The row that it can't be without."""
    rounds: list[float] = field(default_factory=list)


def main() -> int:
    """Measure and say."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--engine", choices=MOST)
    options, _ = parser.parse_known_args()
    rows = [Row("python -c pass", lambda: command(PYTHON))]
    for engine in (options.engine,) if options.engine else MOST:
        try:
            rows += rows_of(engine)
        except PlaceError as error:
            print(f"waiting: without {engine}: {error}", file=sys.stderr)
    for _ in range(ROUNDS):
        for row in rows:
            begun = time.perf_counter()
            made = row.wait()
            row.rounds.append(time.perf_counter() - begun)
            if made is not None:
                made.close()
    return shown(rows)


def rows_of(name: str) -> Iterator[Row]:
    """What one engine is waited for. Raises PlaceError if it does not run here."""
    engine = choose(name)
    engine.open().close()  # it makes an image, if there is none yet
    limit = "docker run true" if name == "docker" else "unshare python -c pass"
    image = engine.image_with(SUITES[0], OF_PLACES)
    bare = UNSHARE if image is None else ["docker", "run", "--rm", "--network", "none", image, "true"]
    harness = [sys.executable, "-m", "harness"]
    run = [*harness, "run", "--engine", name, SCENARIO]
    check = [*harness, "check", "--engine", name, SUBJECT]
    most = MOST[name]
    yield Row(limit, lambda: command(bare))
    place = f"a place in {name}"
    yield Row(place, engine.open, most["a place"], limit)
    yield Row(f"harness run {SCENARIO} in {name}", lambda: command(run), most["a run"], place)
    yield Row(f"harness check {SUBJECT} in {name}", lambda: command(check), most["a check"])


def command(words: list[str]) -> None:
    """Run it to its end. Raises SystemExit if it fails."""
    done = subprocess.run(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"waiting: {' '.join(words)} ended with status {done.returncode}: {done.stderr.strip()}")


def shown(rows: list[Row]) -> int:
    """Print the table, and what was to be reached; 1 if that was not."""
    medians = {row.name: statistics.median(row.rounds) for row in rows}
    table = Table("what is waited for", "median", "of", "at most", title=f"Medians of {ROUNDS} rounds")
    late = []
    for row in rows:
        took = medians[row.name]
        times = "" if row.beside is None else f"{took / medians[row.beside]:.1f} x {row.beside}"
        table.add_row(row.name, text(took), times, "" if row.most is None else text(row.most))
        if row.most is not None and took > row.most:
            late.append(row.name)
    Console().print(table)
    for name in late:
        print(f"NOT reached: {name}")
    return 1 if late else 0


def text(seconds: float) -> str:
    """Seconds for people."""
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"


if __name__ == "__main__":
    sys.exit(main())
