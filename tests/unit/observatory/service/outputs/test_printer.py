"""The process that writes on standard output in the server's place."""

from __future__ import annotations

import os
import resource
import select
import signal
import socket
import sys
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import pytest

from observatory.errors import ObservatoryError
from observatory.service.outputs.printer import Printer
from tests.helpers.deadline import PATIENCE, until
from tests.helpers.descriptors import none_left_open

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# That this process has threads (of pytest-xdist) does not matter here, where the copy writes lines and nothing else.
pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")


def loud(line: bytes) -> bytes:
    return line.upper() + b"!\n"


@contextmanager
def pipe() -> Iterator[tuple[int, int]]:
    reading, writing = os.pipe()
    try:
        yield reading, writing
    finally:
        os.close(reading)
        os.close(writing)


def read(descriptor: int) -> bytes:
    """What has come, once something has."""
    assert select.select([descriptor], [], [], PATIENCE)[0], "nothing has come"
    return os.read(descriptor, 100)


def test_each_line_is_written_as_it_is_rendered_and_half_a_line_is_not() -> None:
    with pipe() as (reading, writing):
        printer = Printer(writing, loud, tuple, print)
        os.write(printer.descriptor, b"one\ntwo\nhal")
        assert printer.close(10)
        assert read(reading) == b"ONE!\nTWO!\n"


def test_it_ends_in_time_though_nobody_reads() -> None:
    with pipe() as (_, writing):
        os.set_blocking(writing, False)
        with suppress(BlockingIOError):
            while True:
                os.write(writing, b"-" * 4096)
        os.set_blocking(writing, True)
        printer = Printer(writing, loud, tuple, print)
        os.write(printer.descriptor, b"one\n")
        begun = time.monotonic()
        assert not printer.close(0.05)
        assert time.monotonic() - begun < PATIENCE


def test_what_ends_the_server_does_not_end_it_from_its_first_moment_on() -> None:
    with pipe() as (reading, writing):
        printer = Printer(writing, loud, tuple, print)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            os.kill(printer._pid, number)
        os.write(printer.descriptor, b"two\n")
        assert read(reading) == b"TWO!\n"
        assert printer.close(10)


@pytest.mark.skipif(sys.platform != "linux", reason="another process's descriptors are seen in /proc")
def test_it_holds_nothing_that_the_server_has_open() -> None:
    with pipe() as (reading, writing), pipe() as (other, kept):
        printer = Printer(writing, loud, tuple, print)
        os.write(printer.descriptor, b"one\n")
        assert read(reading) == b"ONE!\n"
        open_there = set(os.listdir(f"/proc/{printer._pid}/fd"))
        assert {str(other), str(kept)} & open_there == set()
        assert printer.close(10)


def test_it_opens_its_output_anew_when_it_is_told(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    descriptor = os.open(old, os.O_WRONLY | os.O_CREAT)

    def reopen() -> tuple[str, ...]:
        other = os.open(new, os.O_WRONLY | os.O_CREAT)
        os.dup2(other, descriptor)
        os.close(other)
        return ()

    printer = Printer(descriptor, loud, reopen, print)
    os.write(printer.descriptor, b"one\n")
    until(lambda: old.read_bytes() == b"ONE!\n", "the first line is written")
    printer.reopen()
    until(new.exists, "it has opened it anew")
    os.write(printer.descriptor, b"two\n")
    assert printer.close(10)
    os.close(descriptor)
    assert (old.read_bytes(), new.read_bytes()) == (b"ONE!\n", b"TWO!\n")


def test_it_opens_its_output_anew_between_two_lines_and_nowhere_else(tmp_path: Path) -> None:
    """Whenever it is told so, and as often: from its first moment on, and while lines come."""
    files = [tmp_path / str(number) for number in range(1001)]
    descriptor = os.open(files[0], os.O_WRONLY | os.O_CREAT)
    coming = iter(files[1:])

    def reopen() -> tuple[str, ...]:
        other = os.open(next(coming), os.O_WRONLY | os.O_CREAT)
        os.dup2(other, descriptor)
        os.close(other)
        return ()

    printer = Printer(descriptor, loud, reopen, print)
    for number, file in enumerate(files[1:]):
        printer.reopen()
        os.write(printer.descriptor, b"%d\n" % number)
        if number % 2:
            until(file.exists, f"it has opened it anew for the time {number}", pause=0.001)
    assert printer.close(PATIENCE)
    os.close(descriptor)
    lines = [line for file in files for line in file.read_bytes().splitlines(keepends=True)]
    assert lines == [b"%d!\n" % number for number in range(1000)]


def give_room(printer: Printer, size: int | None) -> None:
    """How long its file may be; None: as long as it likes."""
    if sys.platform != "linux":
        raise AssertionError
    _, most = resource.prlimit(printer._pid, resource.RLIMIT_FSIZE)
    resource.prlimit(printer._pid, resource.RLIMIT_FSIZE, (most if size is None else size, most))


TEN_LINES = [b"%d" % number * 400 for number in range(10)]


@pytest.fixture
def small(tmp_path: Path) -> Iterator[tuple[Printer, Path, Path]]:
    """One whose file may have 1000 bytes, at which it is in the third line; the file, and that of what it says."""
    if sys.platform != "linux":
        pytest.skip("the limits of another process are Linux's to change")
    written, said = tmp_path / "written", tmp_path / "said"

    def log(sentence: str) -> None:
        with said.open("a", encoding="utf-8") as file:
            file.write(f"{sentence}\n")

    with written.open("wb") as file:
        printer = Printer(file.fileno(), loud, tuple, log)
        give_room(printer, 1000)
        os.write(printer.descriptor, b"".join(line + b"\n" for line in TEN_LINES))
        sentence = "cannot write on standard output: File too large; events wait until it can be written\n"
        until(lambda: said.exists() and said.read_text() == sentence, "it has said that there is no room")
        yield printer, written, said


def test_where_there_is_no_room_it_says_so_once_and_goes_on_where_there_is_some(
    small: tuple[Printer, Path, Path],
) -> None:
    printer, written, said = small
    once = said.read_text()
    whole = b"".join(loud(line) for line in TEN_LINES)
    assert written.read_bytes() == whole[:1000]
    give_room(printer, None)
    assert printer.close(PATIENCE)
    assert written.read_bytes() == whole
    assert said.read_text() == once


def test_where_there_is_no_room_it_ends_in_time_as_where_nobody_reads(small: tuple[Printer, Path, Path]) -> None:
    printer, _, _ = small
    assert not printer.close(0.05)


def test_where_there_is_no_room_it_does_not_outlive_a_server_that_is_killed(small: tuple[Printer, Path, Path]) -> None:
    printer, _, _ = small
    printer._process.shutdown(socket.SHUT_WR)  # as the kernel closes all that a killed process has open
    assert printer.close(PATIENCE)


def test_where_there_can_be_no_process_a_sentence_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused() -> int:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(os, "fork", refused)
    with none_left_open(), pytest.raises(ObservatoryError, match="cannot start a process that writes events"):
        Printer(1, loud, tuple, print)
