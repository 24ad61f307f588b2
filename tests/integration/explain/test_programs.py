"""Programs that fail at a socket, each for a reason of its own, told by `harness explain -- PROGRAM`."""

from __future__ import annotations

import errno
import os
import struct
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


NAMED = "/run/id ran without the rights that its file gives, since it was followed"


@pytest.mark.parametrize(
    ("given", "question", "told"),
    [
        ("chmod 4755 /run/id", "-u", "it is set-uid, of uid 0"),
        ("chmod 4711 /run/id", "-u", "it is set-uid, of uid 0"),
        ("chgrp 42 /run/id; chmod 2755 /run/id", "-g", "it is set-gid, of gid 42"),
    ],
    ids=["set-uid", "unreadable", "set-gid"],
)
def test_a_program_that_runs_without_its_rights_is_named(stage: Stage, given: str, question: str, told: str) -> None:
    stage.run(f"cp /usr/bin/id /run/id; {given}")
    alone = stage.enter(*becoming("ali"), "/run/id", question)
    assert alone.stdout != "1000\n"
    done = stage.enter(*becoming("ali"), sys.executable, "-m", "harness", "explain", "--", "/run/id", question)
    assert done.stdout == "1000\n"
    assert f"{NAMED} ({told})" in done.stderr


def test_a_program_that_would_have_had_no_rights_anyway_is_not_named(stage: Stage) -> None:
    """Once by who starts the harness, once by the command itself, which root follows."""
    stage.run("cp /usr/bin/id /run/id; chmod 4755 /run/id")
    explain, given_up = (sys.executable, "-m", "harness", "explain", "--"), (*becoming("ali"), "--no-new-privs")
    for words in ((*given_up, *explain), (*explain, *given_up)):
        done = stage.enter(*words, "/run/id", "-u")
        assert done.stdout == "1000\n"
        assert "on a Unix socket failed" in done.stderr or "\npath " in f"\n{done.stderr}"
        assert NAMED not in done.stderr


NET_RAW = struct.pack("<IIIII", 0x2000000, 1 << 13, 0, 0, 0).hex()
"""A file's capability, as the kernel keeps it (struct vfs_cap_data in linux/capability.h)."""


def test_a_program_whose_capabilities_root_lets_it_have_is_not_named(stage: Stage) -> None:
    giving = f"import os; os.setxattr('/run/id', 'security.capability', bytes.fromhex('{NET_RAW}'))"
    stage.run(f'cp /usr/bin/id /run/id; {sys.executable} -ISc "{giving}"')
    by_oneself = stage.enter(*becoming("ali"), sys.executable, "-m", "harness", "explain", "--", "/run/id")
    assert f"{NAMED} (its file has capabilities)" in by_oneself.stderr
    assert NAMED not in stage.explain("--", *becoming("ali"), "/run/id").stderr
