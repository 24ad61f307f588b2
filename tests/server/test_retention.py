"""`--retain` and a clock that runs ahead: nothing is deleted for which the time has not passed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.helpers.deadline import until
from tests.hostile.guards import without

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.helpers.observatory_server import ObservatoryServer

DAY = 86_400
OFTEN = ("EVERY: Final = 60.0\n", "EVERY: Final = 0.05\n")
CLOCK = (
    "    return time.time_ns() // 1000\n",
    "    return time.time_ns() // 1000 + int(open({path!r}).read()) * 1_000_000\n",
)
"""The clock is set by a file."""
BY_THE_CLOCK = ("min(clock, due) - ", "clock - ")


@pytest.mark.parametrize("guarded", [True, False])
def test_a_clock_that_jumps_ahead_deletes_nothing(
    serve: Callable[..., ObservatoryServer], directory: Path, guarded: bool
) -> None:
    ahead = directory / "ahead"
    ahead.write_text("0")
    changes = [OFTEN, (CLOCK[0], CLOCK[1].format(path=str(ahead))), *([] if guarded else [BY_THE_CLOCK])]
    server = serve("--retain", "90d", **without(directory, "service/retention.py", *changes))
    for number in range(5):
        server.send({"n": number})
    ahead.write_text(str(400 * DAY))
    server.wait_for("warning: the clock is 400 days ahead")
    if guarded:
        for _ in range(3):
            server.send()
        assert len(server.events()) == 8
    else:
        until(lambda: len(server.events()) == 1, "all but the newest are deleted")


def test_a_clock_that_is_ahead_at_the_start_deletes_nothing(
    serve: Callable[..., ObservatoryServer], directory: Path
) -> None:
    ahead = directory / "ahead"
    ahead.write_text("0")
    program = without(directory, "service/retention.py", OFTEN, (CLOCK[0], CLOCK[1].format(path=str(ahead))))
    server = serve("--retain", "90d", **program)
    for number in range(5):
        server.send({"n": number})
    server.end()
    ahead.write_text(str(400 * DAY))
    again = serve("--retain", "90d", **program)
    again.wait_for("warning: the clock is 400 days ahead")
    assert len(again.events()) == 5
    ahead.write_text("0")
    again.restart()
    assert [event["n"] for event in again.events()] == [0, 1, 2, 3, 4]
