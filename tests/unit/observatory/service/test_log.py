"""The log: whoever says a line never waits, and what is left out is counted."""

from __future__ import annotations

import os
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from observatory.service.log import LOG_BUFFER, Log
from tests.helpers.deadline import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def full_pipe() -> Iterator[tuple[int, int]]:
    """One without room, whose writer waits."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    try:
        while True:
            os.write(writing, b"-" * 4096)
    except BlockingIOError:
        os.set_blocking(writing, True)
    try:
        yield reading, writing
    finally:
        os.close(reading)
        os.close(writing)


def read_to(reading: int, end: bytes) -> bytes:
    found = b""
    while not found.endswith(end):
        found += os.read(reading, 1 << 20)
    return found.lstrip(b"-")


def test_lines_are_written_in_their_order_and_harmless(tmp_path: Path) -> None:
    with (tmp_path / "log").open("wb") as file:
        log = Log(file.fileno())
        for number in range(100):
            log(f"line {number} \x1b[31m")
        log.close(10)
    assert (tmp_path / "log").read_text().splitlines() == [f"line {number} \\x1b[31m" for number in range(100)]


def test_what_nobody_reads_is_left_out_beyond_a_limit_and_counted() -> None:
    with full_pipe() as (reading, writing):
        log = Log(writing)
        line = "x" * 1023
        fit = LOG_BUFFER // (len(line) + 1)
        for _ in range(fit + 7):
            log(line)
        log("short")  # there is room for it, but not in its place
        assert read_to(reading, b"left out of the log here, since nobody read it\n").splitlines() == [
            *[line.encode()] * fit,
            b"8 lines were left out of the log here, since nobody read it",
        ]
        log("and again")
        assert read_to(reading, b"again\n") == b"and again\n"
        log.close(10)


def test_at_the_end_a_reader_gets_its_time_and_no_more() -> None:
    with full_pipe() as (reading, writing):
        log = Log(writing)
        log("waits")
        begun = time.monotonic()
        log.close(0.05)
        assert time.monotonic() - begun < PATIENCE
        assert read_to(reading, b"waits\n") == b"waits\n"


def test_a_log_that_has_no_reader_ends_nothing() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    log = Log(writing)
    log("for nobody")
    log("nor this")
    log.close(10)
    os.close(writing)


def test_a_log_to_which_nothing_was_said_has_no_thread() -> None:
    log = Log(1)
    assert log._thread is None
    log.close(0)
