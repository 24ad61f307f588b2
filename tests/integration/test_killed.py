"""A harness that is killed leaves nothing behind: no process, no mount, no container."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harness.engines.docker import DEFAULT, MARK, DockerEngine
from tests.helpers.deadline import until

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from harness.engines.protocol import Engine

SUITE = """
import os, pytest
from harness.world import Principal, User, World

@pytest.mark.parametrize("number", range(2))
def test_never_ends(harness_place, number) -> None:
    place = harness_place
    place.build(World(name="killed", users=(User("root", 0, 0), User("alice", 1500, 1500))))
    sleeper = place.start(["sleep", "infinity"], Principal(1500, 1500))
    where = place.run(["sh", "-c", "readlink /proc/self/ns/mnt; uname -n"], Principal(0, 0)).stdout.split()
    with open(os.environ["REPORT"], "w") as report:
        report.write(" ".join(where) + "\\n")
    sleeper.wait(timeout=600)
"""
PLUGIN = "harness.pytest_plugin"
LIMIT = 10.0
"""Seconds until everything must be gone."""


def processes() -> dict[int, int]:
    """The parent of every process of this machine."""
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it has ended meanwhile
            found[int(process.name)] = int((process / "stat").read_text().rpartition(")")[2].split()[1])
    return found


def descended(ancestor: int) -> set[int]:
    """The processes that came of a process, in whichever namespaces they are."""
    parents, found = processes(), {ancestor}
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return found - {ancestor}


def inside(namespaces: set[str]) -> set[int]:
    """The processes that live in one of these mount namespaces, of which this process's own is none."""
    found = set()
    for pid in processes():
        with contextlib.suppress(OSError):  # it has ended meanwhile
            if os.readlink(f"/proc/{pid}/ns/mnt") in namespaces - {os.readlink("/proc/self/ns/mnt")}:
                found.add(pid)
    return found


def directories(pids: set[int], own: Path) -> set[str]:
    """The temporary directories that these processes were told of or have as their root, but for the suite's own."""
    base = tempfile.gettempdir()
    told = []
    for pid in pids:
        with contextlib.suppress(OSError):  # it has ended meanwhile
            told += [Path(f"/proc/{pid}/cmdline").read_text(errors="replace"), os.readlink(f"/proc/{pid}/root")]
    named = re.findall(rf"(?:^|\0)({base}/[^/\0]+)(?=\0)", "\0".join([*told, ""]))
    return {path for path in named if not own.is_relative_to(path)}


def containers(engine: Engine, hosts: set[str]) -> list[str]:
    """Which of these containers the engine still knows, running or not; a container's host name is its id."""
    if not isinstance(engine, DockerEngine):
        return []
    command = [*engine.command(), "ps", "--all", "--quiet", "--filter", f"label={MARK}"]
    return sorted(hosts & set(subprocess.check_output(command, text=True).split()))


def named(left: Sequence[object]) -> str:
    """What is left, processes with their command lines."""
    told = []
    for each in left:
        command = Path(f"/proc/{each}/cmdline")
        words = command.read_text(errors="replace").replace("\0", " ") if command.exists() else ""
        told.append(f"{each} {words[:100]}".strip())
    return "; ".join(told)


linux = pytest.mark.skipif(sys.platform != "linux", reason="what is left is looked for in /proc, or is a mount")


@linux
@pytest.mark.parametrize("workers", ["0", "2"])
def test_ten_seconds_after_kill_9_of_pytest_nothing_of_its_places_is_left(
    engine: Engine, tmp_path: Path, workers: str
) -> None:
    (tmp_path / "test_suite.py").write_text(SUITE)
    report = tmp_path / "report"
    os.mkfifo(report)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    killed = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-n",
            workers,
            "-p",
            "no:randomly",
            "-p",
            PLUGIN,
            "--harness-engine",
            engine.name,
            ".",
        ],
        cwd=tmp_path,
        env={**environment, "REPORT": str(report)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    places: list[tuple[str, str]] = []
    while len(places) < max(1, int(workers)):
        for line in report.read_text().splitlines():  # opening a FIFO waits for its writer
            namespace, host = line.split()
            places.append((namespace, host))
    namespaces, hosts = {place[0] for place in places}, {place[1] for place in places}
    came = descended(killed.pid)
    held = directories(came, tmp_path)
    try:
        assert len(held) == (len(places) if engine.name in {"host", "vm"} else 0)
        there = came | inside(namespaces)
        assert len(there) >= 2 * len(places)
        assert len(containers(engine, hosts)) == (len(places) if isinstance(engine, DockerEngine) else 0)
    finally:
        killed.send_signal(signal.SIGKILL)
        killed.wait()
    begun = time.monotonic()
    while left := [
        # Not whoever is in such a namespace now: its number is soon another's, of a place that another worker opens.
        *(there & processes().keys()),
        *containers(engine, hosts),
        *filter(os.path.lexists, held),
    ]:
        assert time.monotonic() - begun < LIMIT, f"still there {LIMIT:.0f} s after kill -9: {named(left)}"
        time.sleep(0.1)  # nobody announces that the kernel has taken a namespace apart
    print(f"gone {time.monotonic() - begun:.1f} s after kill -9")


LEAVES = """
import os, signal, sys
from harness.engines.registry import engine
from harness.world import ROOT, World, User, Node

def instead(*those: object) -> None:
    print("made", those[-1].id[:12], flush=True)
    sys.stdin.readline()

if sys.argv[1] == "host":
    place = engine("host").open()
    place.build(World("w", users=(User("root", 0, 0),), nodes=(Node("/srv/m", "mount", fs="tmpfs"),)))
    place.start(["sleep", "1000"], ROOT)
    print(os.getpid(), place._claim.which, flush=True)
else:
    from docker.models.containers import Container
    Container.start = instead
    from testcontainers.core.docker_client import DockerClient
    DockerClient.start = instead
    engine(sys.argv[1]).open()
sys.stdin.readline()
"""
"""A harness that comes as far as it gets, and says so."""


@pytest.fixture
def unshared(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name of Docker's socket that no other test has: whoever starts a place by the same name clears up there."""
    if isinstance(engine, DockerEngine):
        scheme, _, path = engine.environment().get("DOCKER_HOST", DEFAULT).partition("://")
        if scheme == "unix":
            monkeypatch.setenv("DOCKER_HOST", f"unix:///{path}")


@pytest.fixture
def leaving(engine: Engine, unshared: None) -> Iterator[subprocess.Popen[str]]:
    environment = {**os.environ, "HARNESS_THROWAWAY": "1"}
    command = [sys.executable, "-c", LEAVES, engine.name]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        yield process
        process.kill()


def created() -> set[str]:
    """The containers of places that were never started."""
    listed = ["ps", "--all", "--quiet", "--filter", f"label={MARK}", "--filter", "status=created"]
    return set(subprocess.check_output(["docker", *listed], text=True).split())


def test_a_container_that_was_never_started_goes_with_the_next_start(
    engine: Engine, leaving: subprocess.Popen[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert leaving.stdout is not None
    left = leaving.stdout.readline().removeprefix("made ").strip()
    until(lambda: left in created(), f"Docker lists {left}")
    with engine.open():
        assert left in created()  # its harness lives
    leaving.kill()
    leaving.wait()
    with monkeypatch.context() as unguarded:
        unguarded.setattr(DockerEngine, "_clear", lambda *_: None)
        with engine.open():
            assert left in created()
    with engine.open():
        assert left not in created()


@linux
def test_a_directory_of_the_machine_goes_with_the_next_start(engine: Engine, leaving: subprocess.Popen[str]) -> None:
    assert leaving.stdout is not None
    harness, left = leaving.stdout.readline().split()
    mounts = Path("/proc/self/mountinfo").read_text()
    assert left not in mounts  # the world's mounts are nobody else's
    came = descended(int(harness))
    assert len(came) == 2
    with engine.open():
        assert Path(left, "srv").exists()  # its harness lives
    for pid in (int(harness), *came):
        with contextlib.suppress(ProcessLookupError):  # the command has ended with the agent
            if pid == int(harness) or b"sleep" not in Path(f"/proc/{pid}/cmdline").read_bytes():
                os.kill(pid, signal.SIGKILL)
    leaving.wait()
    begun = time.monotonic()
    while came & processes().keys():
        assert time.monotonic() - begun < LIMIT, named(sorted(came & processes().keys()))
        time.sleep(0.05)  # nobody announces that the kernel has ended them
    assert Path(left).exists()
    with engine.open():
        assert not Path(left).exists()
