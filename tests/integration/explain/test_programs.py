"""Programs that fail at a socket, each for a reason of its own, told by `harness explain -- PROGRAM`."""

from __future__ import annotations

import errno
import os
import sys
import textwrap
from typing import TYPE_CHECKING

import pytest

from tests.integration.explain.programs import PROGRAMS, UNREADABLE, Program
from tests.integration.explain.stage import staged

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterator

    from tests.integration.explain.stage import Stage

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0, reason="other users and mounts take root on Linux"
)


@pytest.fixture
def stage() -> Iterator[Stage]:
    with staged() as made:
        yield made


def becoming(user: str) -> list[str]:
    """The words by which root becomes a user."""
    return [] if user == "root" else ["setpriv", "--reuid", user, "--regid", user, "--init-groups"]


def explained(stage: Stage, program: Program, *, by_root: bool) -> subprocess.CompletedProcess[str]:
    """The program followed by root, or by who runs it."""
    words = ("sh", "-c", f"exec {program.command}")
    if by_root:
        return stage.explain("--", *becoming(program.user), *words)
    return stage.enter(*becoming(program.user), sys.executable, "-m", "harness", "explain", "--", *words)


@pytest.mark.parametrize("by_root", [True, False], ids=["by-root", "by-oneself"])
@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.name)
def test_the_true_cause_is_in_the_first_line(
    stage: Stage, need: Callable[[str, str], str], program: Program, by_root: bool
) -> None:
    need(program.name, program.package)
    stage.run(program.there)
    alone = stage.enter(*becoming(program.user), "sh", "-c", f"exec {program.command}")
    done = explained(stage, program, by_root=by_root)
    first = next((line for line in done.stderr.splitlines() if line.startswith("harness: ")), "")
    told = program.told if by_root or program.user == "root" or not program.unreadable else UNREADABLE
    assert first.partition(") ")[2] == told, done.stderr
    assert (done.returncode, done.stdout) == (alone.returncode, alone.stdout)
    assert "\npath " in done.stderr


MANY = textwrap.dedent("""
    import os, socket, sys, threading
    failures = []
    def connect():
        with socket.socket(socket.AF_UNIX) as client:
            try:
                client.connect(sys.argv[1])
            except OSError as error:
                failures.append(error.errno)
    threads = [threading.Thread(target=connect) for _ in range(200)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    statuses = []
    for number in range(1000):
        pid = os.fork()
        if pid == 0:
            connect()
            os._exit(number % 100 + len(failures[200:]))
        statuses.append(os.waitpid(pid, 0)[1])
    print(len(failures), sorted(set(failures)), sum(statuses))
    sys.exit(42)
""")


def test_two_hundred_threads_and_a_thousand_children_end_as_they_would_alone(stage: Stage) -> None:
    """Each child fails once, and ends with a status of its own; the statuses are added up as waitpid(2) gives them."""
    statuses = sum((number % 100 + 1) << 8 for number in range(1000))
    program = (sys.executable, "-ISc", MANY, "/run/none.sock")
    done = stage.enter(sys.executable, "-m", "harness", "explain", "--", *program)
    assert (done.returncode, done.stdout) == (42, f"200 [{errno.ENOENT}] {statuses}\n")
    path, who, _, call, times, answer, *_ = done.stderr.splitlines()[-1].split()
    assert (path, who, call, times, answer) == ("/run/none.sock", "root", "connect", "1200", "ENOENT")


def test_a_set_uid_program_that_runs_without_its_rights_is_named(stage: Stage) -> None:
    stage.run("cp /usr/bin/id /run/id; chmod 4755 /run/id")
    alone = stage.enter(*becoming("ali"), "/run/id", "-u")
    assert alone.stdout == "0\n"
    done = stage.enter(*becoming("ali"), sys.executable, "-m", "harness", "explain", "--", "/run/id", "-u")
    assert done.stdout == "1000\n"
    assert "/run/id ran without the rights that its file gives, since it was followed (it is set-uid, of uid 0)" in (
        done.stderr
    )
