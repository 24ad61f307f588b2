"""How many attempts a second: the harness beside a loop in C, a fork for each, runuser and docker exec.

Everything runs on this machine in this minute, on sockets of the same 512 modes, as the same ordinary user; the rates
of the harness and of C are medians of turns taken alternately. Exits 1 if the harness is slower than it promises to be:
0.6 of C, and 3,000 times `docker exec`. `--seconds S` for each turn (default 2).
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from harness.engines.protocol import PlaceError
from harness.engines.registry import choose
from harness.trials.grid_sweep import DIRECTORY, MODES, world
from harness.world import Attempt, Principal

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.engines.protocol import Place

USER = world().principal("stranger")
ROOT = Principal(0, 0)
PROGRAM = "/opt/bench/attempts"
TURNS = 5
OF_C, OF_DOCKER_EXEC = 0.6, 3000
FORKS = """
import os, socket, sys, time
count, path, uid, gid = int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
began = time.monotonic()
for _ in range(count):
    pid = os.fork()
    if pid == 0:
        os.setgroups([]), os.setresgid(gid, gid, gid), os.setresuid(uid, uid, uid)
        os._exit(socket.socket(socket.AF_UNIX).connect_ex(path))
    os.waitpid(pid, 0)
print(count / (time.monotonic() - began))
"""
RUNUSER = """
began=$(cut -d' ' -f1 /proc/uptime)
for number in $(seq "$1"); do runuser -u stranger -- "$2" one "$3"; done
echo "$began $(cut -d' ' -f1 /proc/uptime)"
"""


def main() -> int:
    """Measure and say."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=2.0, help="for each turn (default: 2)")
    seconds = parser.parse_args().seconds
    with tempfile.TemporaryDirectory() as temporary:
        Path(temporary).chmod(0o755)
        source = Path(__file__).with_suffix(".c")
        subprocess.run(["cc", "-O2", "-Wall", "-Wextra", "-o", f"{temporary}/attempts", str(source)], check=True)
        mounts = [f"{temporary}:/opt/bench"]
        with choose("namespace").open(mounts=mounts) as place:
            rates = in_namespaces(place, seconds)
        try:
            with choose("docker").open(mounts=mounts) as place:
                rates |= in_docker(place, seconds)
        except PlaceError as error:
            print(f"attempts: without docker: {error}", file=sys.stderr)
    show(rates)
    return judge(rates)


def in_namespaces(place: Place, seconds: float) -> dict[str, float]:
    """The rates in a place of namespaces."""
    turns: dict[str, list[float]] = {"loop in C": [], "harness, grid": []}
    for turn in range(TURNS):
        place.build(world())
        turns["harness, grid"].append(grid(place, seconds))
        turns["loop in C"].append(loop_in_c(place, turn, seconds))
    place.build(world())
    rates = {name: statistics.median(measured) for name, measured in turns.items()}
    rates["harness, any attempts"] = attempts(place, seconds)
    socket = f"{DIRECTORY}/000"
    forks = place.run(["python3", "-c", FORKS, "300", socket, str(USER.uid), str(USER.gid)], ROOT, timeout=300)
    rates["fork for each"] = float(forks.stdout)
    return rates


def in_docker(place: Place, seconds: float) -> dict[str, float]:
    """The rates in a container: the harness's own, and those of `runuser` and `docker exec`."""
    place.build(world())
    rates = {"harness, grid, docker": grid(place, seconds)}
    socket = f"{DIRECTORY}/000"
    runuser = place.run(["sh", "-c", RUNUSER, "sh", "100", PROGRAM, socket], ROOT, timeout=300)
    began, ended = map(float, runuser.stdout.split())
    rates["runuser for each"] = 100 / (ended - began)
    container = place.run(["cat", "/etc/hostname"], ROOT).stdout.strip()
    user = f"{USER.uid}:{USER.gid}"
    command = ["docker", "exec", "-u", user, container, PROGRAM, "one", socket]
    rates["docker exec for each"] = rate(lambda: subprocess.run(command, check=False), 20)
    return rates


def rate(one: Callable[[], object], count: int) -> float:
    """How often a second."""
    began = time.monotonic()
    for _ in range(count):
        one()
    return count / (time.monotonic() - began)


def grid(place: Place, seconds: float) -> float:
    """The harness's attempts, all 512 sockets for each turn of one user."""
    modes = [0o755] * 8
    made, began = 0, time.monotonic()
    for _ in place.grid(DIRECTORY, modes * 10_000, [USER]):
        made += len(MODES)
        if time.monotonic() - began >= seconds:
            break
    return made / (time.monotonic() - began)


def attempts(place: Place, seconds: float) -> float:
    """The harness's attempts of any kind, with the refusing component found and both sides' credentials read."""
    rows = [Attempt("stranger", "connect", f"{DIRECTORY}/{mode:03o}") for mode in MODES]
    made, began = 0, time.monotonic()
    while time.monotonic() - began < seconds:
        made += len(place.attempt(rows))
    return made / (time.monotonic() - began)


def loop_in_c(place: Place, turn: int, seconds: float) -> float:
    """The rate that the program says of itself."""
    done = place.run([PROGRAM, "loop", f"/srv/c{turn}", str(USER.uid), str(seconds)], ROOT, timeout=60 + seconds)
    if done.status != 0:
        raise SystemExit(f"attempts: the loop in C failed: {done.stderr.strip()}")
    return float(done.stdout)


def show(rates: dict[str, float]) -> None:
    """One line for each, the fastest first."""
    table = Table("attempts by", "a second", "of C")
    for name, each in sorted(rates.items(), key=lambda item: -item[1]):
        table.add_row(name, f"{each:,.0f}", f"{each / rates['loop in C']:.4f}")
    Console().print(table)


def judge(rates: dict[str, float]) -> int:
    """0 if the harness is as fast as it promises."""
    missed = []
    own = rates["harness, grid"]
    if own < OF_C * rates["loop in C"]:
        missed.append(f"less than {OF_C} of C")
    if "docker exec for each" in rates and own < OF_DOCKER_EXEC * rates["docker exec for each"]:
        missed.append(f"less than {OF_DOCKER_EXEC:,} times docker exec")
    for each in missed:
        print(f"attempts: {each}", file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
