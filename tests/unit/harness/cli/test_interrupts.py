"""An interrupt that is put off comes when the work is done, and no other is."""

from __future__ import annotations

import os
import signal

import pytest

from harness.cli.interrupts import TerminatedError, put_off, terminable


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


def test_sigterm_is_an_interrupt_of_its_own_where_it_is_taken_as_one() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(TerminatedError), terminable():
        signal.raise_signal(signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) == before
    assert issubclass(TerminatedError, KeyboardInterrupt)


def test_sigterm_is_put_off_as_an_interrupt_is() -> None:
    done = []

    def work() -> None:
        with terminable(), put_off():
            for number in (signal.SIGTERM, signal.SIGINT):
                os.kill(os.getpid(), number)
            done.append("all")

    with pytest.raises(TerminatedError):
        work()
    assert done == ["all"]


def test_sigterm_stays_ignored_where_it_is() -> None:
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        with terminable():
            signal.raise_signal(signal.SIGTERM)
        assert signal.getsignal(signal.SIGTERM) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGTERM, before)
