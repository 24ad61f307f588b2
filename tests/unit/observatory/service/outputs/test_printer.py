"""The process that writes on standard output in the server's place."""

from __future__ import annotations

import os
import signal
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


def test_each_line_is_written_as_it_is_rendered_and_half_a_line_is_not() -> None:
    with pipe() as (reading, writing):
        printer = Printer(writing, loud, tuple)
        os.write(printer.descriptor, b"one\ntwo\nhal")
        assert printer.close(10)
        assert os.read(reading, 100) == b"ONE!\nTWO!\n"


def test_it_ends_in_time_though_nobody_reads() -> None:
    with pipe() as (_, writing):
        os.set_blocking(writing, False)
        with suppress(BlockingIOError):
            while True:
                os.write(writing, b"-" * 4096)
        os.set_blocking(writing, True)
        printer = Printer(writing, loud, tuple)
        os.write(printer.descriptor, b"one\n")
        begun = time.monotonic()
        assert not printer.close(0.05)
        assert time.monotonic() - begun < PATIENCE


def test_what_ends_the_server_does_not_end_it() -> None:
    with pipe() as (reading, writing):
        printer = Printer(writing, loud, tuple)
        os.write(printer.descriptor, b"one\n")
        assert os.read(reading, 100) == b"ONE!\n"  # it heeds its own signals now
        for number in (signal.SIGTERM, signal.SIGINT):
            os.kill(printer._pid, number)
        os.write(printer.descriptor, b"two\n")
        assert os.read(reading, 100) == b"TWO!\n"
        assert printer.close(10)


@pytest.mark.skipif(sys.platform != "linux", reason="another process's descriptors are seen in /proc")
def test_it_holds_nothing_that_the_server_has_open() -> None:
    with pipe() as (reading, writing), pipe() as (other, kept):
        printer = Printer(writing, loud, tuple)
        os.write(printer.descriptor, b"one\n")
        assert os.read(reading, 100) == b"ONE!\n"
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

    printer = Printer(descriptor, loud, reopen)
    os.write(printer.descriptor, b"one\n")
    until(lambda: old.read_bytes() == b"ONE!\n", "the first line is written")
    printer.reopen()
    until(new.exists, "it has opened it anew")
    os.write(printer.descriptor, b"two\n")
    assert printer.close(10)
    os.close(descriptor)
    assert (old.read_bytes(), new.read_bytes()) == (b"ONE!\n", b"TWO!\n")


def test_where_there_can_be_no_process_a_sentence_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused() -> int:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(os, "fork", refused)
    with none_left_open(), pytest.raises(ObservatoryError, match="cannot start a process that writes events"):
        Printer(1, loud, tuple)
