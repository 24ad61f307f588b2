"""How both commands end, whatever becomes of their standard streams and whenever they are interrupted."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import IO

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="/dev/full is Linux's")
COMMANDS = {
    "harness": ["harness", "scenarios"],
    "observatory": ["observatory", "install-hooks", "--global", "--dry-run"],
}
"""Commands that write on standard output and need neither a server nor a place."""
both = pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
WITHOUT = """
import importlib, sys
ending = importlib.import_module(sys.argv[1] + ".cli.ending")
ending.ended = lambda name, work: work()
from {package}.cli.main import main
sys.exit(main(sys.argv[2:]))
"""
"""The control: the command without its way of ending."""


def unguarded(command: list[str]) -> list[str]:
    return ["-c", WITHOUT.format(package=command[0]), *command]


def run(
    words: list[str], stdout: int | IO[bytes], *, start: Callable[[], None] | None = None, **environment: str
) -> tuple[int, str]:
    """The status and what was said on standard error."""
    done = subprocess.run(
        [sys.executable, *words],
        stdout=stdout,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
        env={**os.environ, **environment},
        check=False,
        preexec_fn=start,
    )
    return done.returncode, done.stderr


@pytest.fixture
def nobody_reads() -> Iterator[IO[bytes]]:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as pipe:
        yield pipe


@both
def test_a_closed_standard_output_is_said(command: list[str]) -> None:
    said = run(["-m", *command], subprocess.DEVNULL, start=lambda: os.close(1))
    assert said == (74, f"{command[0]}: standard output can't be written: Bad file descriptor\n")


@linux_only
@both
def test_a_full_standard_output_is_said(command: list[str]) -> None:
    with open("/dev/full", "wb") as full:  # noqa: PTH123 - a device
        assert run(["-m", *command], full) == (
            74,
            f"{command[0]}: standard output can't be written: No space left on device\n",
        )
        assert run(["-m", command[0], "--help"], full)[0] == 74
        assert run(unguarded(command), full)[0] != 74


@both
def test_a_pipe_that_nobody_reads_ends_in_silence(command: list[str], nobody_reads: IO[bytes]) -> None:
    assert run(["-m", *command], nobody_reads) == (141, "")
    assert run(unguarded(command), nobody_reads)[0] != 141


@both
def test_a_standard_error_that_cannot_be_written_changes_no_status(command: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", command[0], "no-such-command"],
        stdout=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        check=False,
        preexec_fn=lambda: os.close(2),
    )
    assert (done.returncode, done.stdout) == (2, b"")


def test_a_character_that_the_encoding_lacks_is_written_as_an_escape() -> None:
    for package in COMMANDS:
        program = f"""
import sys
from {package}.cli.ending import ended
sys.exit(ended("x", lambda: print("caf\\xe9 \\u2192") or 5))
"""
        done = subprocess.run(
            [sys.executable, "-c", program],
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"},
            check=False,
        )
        assert (done.returncode, done.stdout, done.stderr) == (5, "caf\\xe9 \\u2192\n", "")


INTERRUPTED = """
import os, signal, sys

class Interrupt:
    def find_spec(self, name, path=None, target=None):
        if name == sys.argv[1]:
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Interrupt())
{ending}
from {package}.cli.main import main
sys.exit(main(sys.argv[2:]))
"""
WORDS = {"harness": ["run", "/dev/null/none.toml"], "observatory": ["--help"]}
"""Each imports what is interrupted here: a subcommand's module is imported when it is called."""
AT = {
    "harness": ["argparse", "harness.cli.run", "harness.engines.registry", "harness.world.toml", "harness.report.text"],
    "observatory": ["argparse", "observatory.errors", "observatory.cli.events", "observatory.cli.web"],
}


@pytest.mark.parametrize(("package", "module"), [(package, module) for package in AT for module in AT[package]])
def test_an_interrupt_ends_the_command_in_silence_whatever_it_is_importing(package: str, module: str) -> None:
    ending = f"import {package}.cli.ending\n{package}.cli.ending.ended = lambda name, work: work()"
    for without, expected in (("", (130, "")), (ending, None)):
        program = INTERRUPTED.format(package=package, ending=without)
        status, said = run(["-c", program, module, *WORDS[package]], subprocess.DEVNULL)
        if expected is None:
            assert "KeyboardInterrupt" in said
        else:
            assert (status, said) == expected


DROPPED = """
import importlib, signal, sys, threading

class Deleted:
    def __del__(self):
        signal.raise_signal(signal.SIGINT)

def work():
    {without}
    Deleted()
    threading.Event().wait(float(sys.argv[2]))
    return 0

sys.exit(importlib.import_module(sys.argv[1] + ".cli.ending").ended(sys.argv[1], work))
"""


@pytest.mark.parametrize("package", COMMANDS)
def test_an_interrupt_that_comes_while_an_object_is_deleted_ends_the_command_too(package: str) -> None:
    assert run(["-c", DROPPED.format(without=""), package, "60"], subprocess.DEVNULL) == (130, "")
    without = DROPPED.format(without="sys.unraisablehook = sys.__unraisablehook__")
    status, said = run(["-c", without, package, "0.1"], subprocess.DEVNULL)
    assert status == 0
    assert said.startswith("Exception ignored ")
    assert "KeyboardInterrupt" in said


INTERRUPTED_WRITES = """
import importlib, signal, sys
ending = importlib.import_module(sys.argv[1] + ".cli.ending")
number, writing = 0, False

def interrupt(*_):
    global writing
    if writing:
        writing = False
        raise KeyboardInterrupt

def write_lines():
    global number, writing
    while number < 20_000:
        number, writing = number + 1, True
        signal.setitimer(signal.ITIMER_REAL, (number % 60 + 1) / 1e6)
        sys.stdout.write(f"{number:05d}\\n")
    writing = False

def work():
    signal.signal(signal.SIGALRM, interrupt)
    signal.signal(signal.SIGINT, interrupt)  # as one comes that Python has dropped
    while number < 20_000:
        try:
            write_lines()
        except KeyboardInterrupt:
            pass
    return 0

sys.exit(ending.ended("command", work))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there are no alarms")
@pytest.mark.parametrize("package", COMMANDS)
def test_nothing_is_written_twice_where_an_interrupt_comes_while_it_is_written(package: str) -> None:
    """At each line one comes, up to 60 us after it was begun."""
    done = subprocess.run(
        [sys.executable, "-u", "-c", INTERRUPTED_WRITES, package], capture_output=True, text=True, check=True
    )
    numbers = [int(line) for line in done.stdout.splitlines()]
    assert len(numbers) > 1000
    assert numbers == sorted(set(numbers))


def test_nothing_that_takes_time_is_imported_before_an_interrupt_is_met() -> None:
    for package in COMMANDS:
        program = f"import sys; before = set(sys.modules); import {package}.cli.main; print(*set(sys.modules) - before)"
        said = subprocess.check_output([sys.executable, "-S", "-c", program], text=True)
        assert set(said.split()) <= {
            *(
                "__future__",
                "_abc",
                "_collections_abc",
                "_stat",
                "abc",
                "errno",
                "genericpath",
                "io",
                "os",
                "os.path",
                "posixpath",
                "stat",
            ),
            *(package, f"{package}.cli", f"{package}.cli.main", f"{package}.cli.ending"),
        }
