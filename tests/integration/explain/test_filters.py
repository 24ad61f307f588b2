"""Processes that a filter of system calls or a Landlock domain holds: told by name, and never a bare ok."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.integration.explain.stage import staged

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.integration.explain.stage import Stage

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0, reason="other users and mounts take root on Linux"
)

HELD = """
import errno, os, socket, sys, time
from harness.inside.agent.confinement import enter
enter({"seccomp": dict(word.split("=") for word in sys.argv[2:] if "=" in word),
       "landlock": [word for word in sys.argv[2:] if "=" not in word]})
try:
    with socket.socket(socket.AF_UNIX) as one:
        one.connect("\\0" + sys.argv[1][1:] if sys.argv[1].startswith("@") else sys.argv[1])
    print("ok", flush=True)
except OSError as error:
    print(errno.errorcode[error.errno], flush=True)
if os.environ.get("STAY"):
    time.sleep(600)
"""
"""A process of ali's that enters what it is told, and connects; the kernel's answer."""
AS_ALI = ("setpriv", "--reuid", "ali", "--regid", "ali", "--init-groups")
PYTHON = "/usr/bin/python3"
"""One that ali may execute, which may not be so of the one that runs the tests."""
PATH = "/run/s.sock"
FILTER = "a filter of system calls (seccomp)"


@pytest.fixture
def stage() -> Iterator[Stage]:
    with staged() as made:
        made.run(f"serve -- {PATH} mode=0777")
        yield made


class Held:
    """Such a process, that stays."""

    def __init__(self, stage: Stage, path: str, *words: str) -> None:
        enter = ("nsenter", "--target", str(stage.shell.pid), "--mount", "--wd=/")
        self._running = subprocess.Popen(
            [*enter, *AS_ALI, PYTHON, "-c", HELD, path, *words],
            env={**os.environ, **stage.environment, "STAY": "1"},
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._running.stdout is not None
        self.answer = self._running.stdout.readline().strip()
        self.pid = str(self._running.pid)

    def __enter__(self) -> Held:
        return self

    def __exit__(self, *_error: object) -> None:
        self._running.kill()
        self._running.communicate()


@pytest.mark.parametrize(
    ("word", "answer", "why"),
    [
        ("socket=EAFNOSUPPORT", "EAFNOSUPPORT", f"{FILTER} refuses the making of Unix sockets with EAFNOSUPPORT"),
        ("connect=EPERM", "EPERM", f"{FILTER} refuses the system call connect with EPERM"),
        ("unlink=EPERM", "ok", "ali may connect"),
    ],
)
def test_root_reads_the_filter_and_leaves_the_process_as_it_was(stage: Stage, word: str, answer: str, why: str) -> None:
    with Held(stage, PATH, word) as held:
        assert held.answer == answer
        done = stage.explain(PATH, "--pid", held.pid)
        assert done.stdout.splitlines()[0].rpartition(": ")[2] == (f"{answer} at {PATH}" if answer != "ok" else "ok")
        assert why.lower() in done.stdout.lower()
        assert done.returncode == (0 if answer == "ok" else 1)
        said = Path(f"/proc/{held.pid}/status").read_text(encoding="utf-8")
        assert "TracerPid:\t0\n" in said
        assert "State:\tS" in said


@pytest.mark.parametrize("error", ["EBADF", "ENOTSOCK", "EINVAL"])
def test_what_a_filter_refuses_is_not_laid_to_the_descriptor(stage: Stage, error: str) -> None:
    done = stage.explain("--", *AS_ALI, PYTHON, "-c", HELD, PATH, f"connect={error}")
    (line,) = (line for line in done.stderr.splitlines() if line.startswith("harness: "))
    assert line.partition(") ")[2] == (
        f"connect {PATH}: {error}: A filter of system calls (seccomp) refuses the system call connect with {error}"
    )


def test_a_user_is_told_that_a_filter_may_refuse(stage: Stage) -> None:
    for word in ("socket=EAFNOSUPPORT", "unlink=EPERM"):
        with Held(stage, PATH, word) as held:
            done = stage.enter(*AS_ALI, sys.executable, "-m", "harness", "explain", PATH, "--pid", held.pid)
            assert done.stdout.splitlines()[0].endswith(f"not known at {PATH}"), done.stdout
            assert f"process {held.pid} has a filter of system calls (seccomp) of its own" in done.stdout
            assert done.returncode == 1


def test_a_filter_comes_before_what_the_path_refuses(stage: Stage) -> None:
    stage.run("mkdir -m 0700 /run/closed")
    with Held(stage, "/run/closed/s.sock", "connect=EPERM") as held:
        assert held.answer == "EPERM"
        done = stage.explain("/run/closed/s.sock", "--pid", held.pid)
        assert done.stdout.splitlines()[0].endswith("EPERM at /run/closed/s.sock"), done.stdout


@pytest.mark.parametrize("word", ["socket=EAFNOSUPPORT", "connect=EPERM"])
def test_a_command_that_takes_a_filter_is_told_of_it(stage: Stage, word: str) -> None:
    call, answer = word.split("=")
    command = (PYTHON, "-c", HELD, PATH, word)
    by_root = stage.enter(sys.executable, "-m", "harness", "explain", "--", *AS_ALI, *command)
    assert by_root.stdout == f"{answer}\n"
    first = next(line for line in by_root.stderr.splitlines() if line.startswith("harness: python"))
    what = "the making of Unix sockets" if call == "socket" else "the system call connect"
    assert first.lower().endswith(f"{answer}: {FILTER} refuses {what} with {answer}".lower()), by_root.stderr
    alone = stage.enter(*AS_ALI, sys.executable, "-m", "harness", "explain", "--", *command)
    assert alone.stdout == f"{answer}\n"
    first = next(line for line in alone.stderr.splitlines() if line.startswith("harness: python"))
    assert "filter of system calls (seccomp)" in first


def test_a_command_without_a_filter_is_told_of_none(stage: Stage) -> None:
    """The harness's own filter, by which it follows, is no reason."""
    stage.run("mkdir -m 0700 /run/closed")
    done = stage.enter(
        *AS_ALI, sys.executable, "-m", "harness", "explain", "--", PYTHON, "-c", HELD, "/run/closed/s.sock"
    )
    assert "EACCES: ali lacks x on /run/closed" in done.stderr
    assert "seccomp" not in done.stderr


def test_what_a_domain_may_refuse_is_left_open(stage: Stage) -> None:
    name = f"@harness-{os.getpid()}"  # names are the whole machine's
    stage.run(f"serve -- {name}")
    with Held(stage, name, "abstract") as held:
        if held.answer != errno.errorcode[errno.EPERM]:
            pytest.skip("this kernel's Landlock has no scopes (ABI 6)")
        done = stage.explain(name, "--pid", held.pid)
        assert done.stdout.splitlines()[0].endswith("ok but for Landlock, not looked at")
        assert f"process {held.pid} may be in a Landlock domain (it has no_new_privs)" in done.stdout
        assert done.returncode == 1
    free = stage.enter(*AS_ALI, sys.executable, "-m", "harness", "explain", name)
    assert free.stdout.splitlines()[0].endswith("ok")
    assert free.returncode == 0
