"""For how long the reason of a failed call counts for others like it."""

from __future__ import annotations

import errno
import io
import time
from typing import TYPE_CHECKING

import pytest

from harness.cli.refusals import PATIENCE, REST, Refusals
from harness.live.refused_call import RefusedCall
from harness.trace.failed_call import FailedCall

if TYPE_CHECKING:
    from collections.abc import Callable

REASON = "ali lacks w on /run/s"


class Clock:
    """Time that passes when it is told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(time, "monotonic", clock)
    return clock


@pytest.fixture
def came(clock: Clock) -> Callable[..., str]:
    """Tell of a call that fails, which takes these seconds to explain: what is printed of it, or `not explained`."""
    stream = io.StringIO()
    refusals = Refusals(stream)

    def call(takes: float, standing: str = "s 0600", reason: str = REASON) -> str:
        looked = False

        def explain() -> RefusedCall:
            nonlocal looked
            looked = True
            clock.now += takes
            failed = FailedCall(1, "connect", "connect", errno.EACCES, "/run/s")
            return RefusedCall(failed, "ali", "curl", "EACCES", reason)

        stream.seek(0)
        stream.truncate()
        refusals.came(("connect",), (standing,), explain)
        return stream.getvalue() if looked else "not explained"

    return call


def test_a_call_like_another_counts_as_that_and_is_explained_anew_after_a_second(
    clock: Clock, came: Callable[..., str]
) -> None:
    assert REASON in came(0.0)
    clock.now += PATIENCE * 0.9
    assert came(0.0) == "not explained"
    clock.now += PATIENCE * 0.2
    assert came(0.0) == ""  # it was, and is what it was


def test_where_an_explanation_takes_long_the_next_waits_nine_times_as_long(
    clock: Clock, came: Callable[..., str]
) -> None:
    came(2.0)
    clock.now += 2.0 * REST * 0.9
    assert came(2.0) == "not explained"
    clock.now += 2.0 * REST * 0.2
    assert came(2.0) == ""


def test_where_what_decides_has_changed_it_is_explained_at_once_and_told_if_the_reason_is_another(
    came: Callable[..., str],
) -> None:
    came(5.0)
    assert came(5.0, standing="s 0640") == ""
    assert "ali lacks x on /run" in came(5.0, standing="s 0660", reason="ali lacks x on /run")
