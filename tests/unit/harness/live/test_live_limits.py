from __future__ import annotations

import os
import sys
import threading
import time
from typing import TYPE_CHECKING

import pytest

from harness.live import limits
from harness.live.limits import in_child, items_of_child
from tests.helpers.deadline import PATIENCE
from tests.helpers.descriptors import none_left_open

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")


def test_a_process_of_its_own_yields_what_it_has_and_leaves_nothing() -> None:
    with none_left_open():
        pids: list[int | str] = list(items_of_child(lambda: iter([os.getpid(), "x" * 200_000]), 20))
    assert pids[0] != os.getpid()
    assert pids[1] == "x" * 200_000
    with pytest.raises(ChildProcessError):
        os.waitpid(int(pids[0]), 0)


def test_what_it_raises_is_raised_by_who_asked() -> None:
    with pytest.raises(PermissionError, match="not you"):
        in_child(lambda: (_ for _ in ()).throw(PermissionError(13, "not you")), 20)


def test_one_that_never_ends_is_given_up_with_what_it_had() -> None:
    """It is killed: what it would have done next is not done."""
    reading, writing = os.pipe()

    def work() -> Iterator[int]:
        yield 1
        threading.Event().wait()
        os.write(writing, b"late")
        yield 2

    had: list[int] = []
    began = time.monotonic()
    with pytest.raises(TimeoutError):
        had.extend(one for one in items_of_child(work, 0.5))
    assert time.monotonic() - began < PATIENCE
    os.close(writing)
    assert os.read(reading, 4) == b""
    os.close(reading)


def test_one_that_ends_without_an_answer_is_no_answer() -> None:
    with pytest.raises(EOFError):
        in_child(lambda: os._exit(0), 20)


def test_it_holds_none_of_our_streams() -> None:
    """A reader of our output, such as `| head`, does not wait for a process that hangs."""
    stream = in_child(lambda: os.fstat(1).st_rdev, 20)
    assert stream == os.stat(os.devnull).st_rdev


@pytest.mark.skipif(sys.platform != "linux", reason="its state is told by Linux alone")
def test_one_that_is_at_work_has_more_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a busy machine, where it may not be run for a while; with a control that gives it none."""

    def work() -> int:
        began = time.process_time()
        while time.process_time() < began + 0.8:
            pass
        return 1

    monkeypatch.setattr(limits, "MORE_TIMES", 0)
    with pytest.raises(TimeoutError):
        in_child(work, 0.5)
    monkeypatch.setattr(limits, "MORE_TIMES", 200)
    assert in_child(work, 0.5) == 1


def test_what_it_has_had_is_taken_however_late_one_asks() -> None:
    reading, writing = os.pipe()

    def work() -> Iterator[int]:
        yield 1
        yield 2
        os.write(writing, b"x")
        yield 3

    items = items_of_child(work, 0.3)
    assert next(items) == 1
    os.read(reading, 1)
    time.sleep(0.4)  # no handshake tells that time has passed
    assert list(items) == [2, 3]
    os.close(reading)
    os.close(writing)
