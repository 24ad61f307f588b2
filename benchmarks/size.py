"""A world of a size that nobody writes by hand: how long `harness run` takes for it, and how much memory.

A thousand users make ten thousand attempts, on a path of 200 components and on one of 4,000 bytes too. To reach: ten
seconds. A run of the same world with one attempt stands beside it: what every run costs. Exits 1 if it took longer, or
if the oracle and the kernel disagreed. `--engine E` for another engine than docker and namespace.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

USERS, ATTEMPTS = 1000, 10
DEEP = "/srv" + "/d" * 199
LONG = "/srv" + ("/" + "n" * 249) * 15 + "/" + "m" * 245
SECONDS = 10.0
ROUNDS = 5


@dataclass(frozen=True, slots=True)
class Run:
    """One `harness run`: its exit status, its summary, and what it took of the harness's own process."""

    status: int
    summary: dict[str, Any]
    seconds: float
    megabytes: float
    """The most that was ever resident."""


def write(path: Path, users: int = USERS, attempts: int = ATTEMPTS) -> None:
    """Write the world by hand: tomlkit is made for files that people edit."""
    lines = ['name = "size"', "[groups]", "staff = 50"]
    for number in range(users):
        lines += [f"[users.u{number}]", f"uid = {10_000 + number}"]
        lines += ['groups = ["staff"]'] if number % 3 == 0 else []
    for place, rest in (
        ("/srv/d", 'kind = "directory"\ngroup = "staff"\nmode = "0750"'),
        (DEEP, 'kind = "socket"\nmode = "0666"'),
        (LONG, 'kind = "file"'),
        ("/run/app.sock", 'kind = "socket"\ngroup = "staff"\nmode = "0660"'),
    ):
        lines += ["[[nodes]]", f'path = "{place}"', rest]
    made = [*[("connect", "/run/app.sock")] * 4, *[("stat", DEEP)] * 3, *[("stat", LONG)] * 3][:attempts]
    for number in range(users):
        for operation, place in made:
            lines += ["[[attempts]]", f'user = "u{number}"', f'operation = "{operation}"', f'path = "{place}"']
    path.write_text("\n".join(lines), encoding="utf-8")


def run(world: Path, engine: str) -> Run:
    """Run a world in an engine."""
    started = time.monotonic()
    with tempfile.TemporaryFile() as out:
        command = [sys.executable, "-m", "harness", "run", str(world), "--json", "--engine", engine]
        process = subprocess.Popen(command, stdout=out)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.monotonic() - started
        out.seek(0)
        last = out.read().splitlines()[-1:]
    return Run(process.returncode, json.loads(last[0]) if last else {}, seconds, usage.ru_maxrss / 1024)


def main() -> int:
    """Measure and say."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--engine", action="append", help="where (default: docker and namespace)")
    engines = parser.parse_args().engine or ["docker", "namespace"]
    table = Table("engine", "users", "attempts", "seconds", "peak MB", "disagreements")
    reached = True
    with tempfile.TemporaryDirectory(prefix="harness-") as directory:
        for engine in engines:
            for users, attempts in ((1, 1), (USERS, ATTEMPTS)):
                world = Path(directory) / "size.toml"
                write(world, users, attempts)
                runs = [run(world, engine) for _ in range(ROUNDS)]
                if any(each.status not in {0, 1} for each in runs):
                    print(f"the {engine} engine does not run here", file=sys.stderr)
                    reached = False
                    break
                seconds = statistics.median(each.seconds for each in runs)
                megabytes = max(each.megabytes for each in runs)
                differ = sum(each.summary["disagreements"] for each in runs)
                reached &= seconds < SECONDS and not differ
                shown = (f"{users:,}", f"{users * attempts:,}", f"{seconds:.1f}", f"{megabytes:.0f}", f"{differ}")
                table.add_row(engine, *shown)
    Console().print(table)
    print(f"{'reached' if reached else 'NOT reached'}: {USERS * ATTEMPTS:,} attempts in {SECONDS:.0f} s, all agreed")
    return 0 if reached else 1


if __name__ == "__main__":
    sys.exit(main())
