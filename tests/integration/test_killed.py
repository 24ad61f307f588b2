"""A harness that is killed leaves nothing behind: no process, no mount, no container."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harness.engines.docker import MARK

if TYPE_CHECKING:
    from harness.place import Engine

SUITE = """
import os, pytest
from harness.world import Principal, User, World

@pytest.mark.parametrize("number", range(2))
def test_never_ends(place, number):
    place.build(World(name="killed", users=(User("root", 0, 0), User("alice", 1500, 1500))))
    sleeper = place.start(["sleep", "infinity"], Principal(1500, 1500))
    where = place.run(["sh", "-c", "readlink /proc/self/ns/mnt; uname -n"], Principal(0, 0)).stdout.split()
    with open(os.environ["REPORT"], "w") as report:
        report.write(" ".join(where) + "\\n")
    sleeper.wait(timeout=600)
"""
LIMIT = 10.0
"""Seconds until everything must be gone."""


def inside(namespaces: set[str]) -> list[str]:
    """The processes of this machine that live in one of these mount namespaces."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if os.readlink(process / "ns" / "mnt") in namespaces:
                found.append(f"{process.name} {(process / 'comm').read_text().strip()}")
        except OSError:  # it ended, or is no business of ours
            continue
    return found


def containers(hosts: set[str]) -> list[str]:
    """Which of these containers the engine still knows, running or not; a container's host name is its id."""
    command = ["docker", "ps", "--all", "--quiet", "--filter", f"label={MARK}"]
    return sorted(hosts & set(subprocess.check_output(command, text=True).split()))


@pytest.mark.parametrize("workers", ["0", "2"])
def test_ten_seconds_after_kill_9_of_pytest_nothing_of_its_places_is_left(
    engine: Engine, tmp_path: Path, workers: str
) -> None:
    (tmp_path / "test_suite.py").write_text(SUITE)
    report = tmp_path / "report"
    os.mkfifo(report)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    killed = subprocess.Popen(
        [sys.executable, "-m", "pytest", "-q", "-n", workers, "-p", "no:randomly", "--engine", engine.name, "."],
        cwd=tmp_path,
        env={**environment, "REPORT": str(report)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    places: dict[str, str] = {}
    while len(places) < max(1, int(workers)):
        for line in report.read_text().splitlines():  # opening a FIFO waits for its writer
            namespace, host = line.split()
            places[namespace] = host
    # Two processes at least: the agent, and alice's.
    assert len(inside(set(places))) >= 2 * len(places)
    hosts = set(places.values()) if engine.name == "docker" else set()
    assert len(containers(hosts)) == len(hosts)
    killed.send_signal(signal.SIGKILL)
    begun = time.monotonic()
    killed.wait()
    while left := inside(set(places)) + containers(hosts):
        assert time.monotonic() - begun < LIMIT, f"still there {LIMIT:.0f} s after kill -9: {left}"
        time.sleep(0.1)  # nobody announces that the kernel has taken a namespace apart
    print(f"gone {time.monotonic() - begun:.1f} s after kill -9")
