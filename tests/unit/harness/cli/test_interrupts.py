"""An interrupt that is put off comes when the work is done, and no other is."""

from __future__ import annotations

import os
import signal

import pytest

from harness.cli.interrupts import put_off


def test_the_work_is_done_to_its_end_and_the_interrupt_comes_then() -> None:
    done = []

    def work() -> None:
        with put_off():
            os.kill(os.getpid(), signal.SIGINT)
            done.append("all")

    with pytest.raises(KeyboardInterrupt):
        work()
    assert done == ["all"]


def test_without_an_interrupt_nothing_is_raised_and_the_next_one_is_not_put_off() -> None:
    with put_off():
        pass
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
