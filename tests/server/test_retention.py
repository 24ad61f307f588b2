"""`--retain` and a clock that runs ahead: nothing is deleted for which the time has not passed."""

from __future__ import annotations

import contextlib
import re
import sqlite3
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.helpers.deadline import until
from tests.helpers.observatory_command import command, environment
from tests.hostile.guards import Guard, without

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.helpers.observatory_server import ObservatoryServer

DAY = 86_400
OFTEN = Guard("service/retention.py", (("EVERY: Final = 60.0\n", "EVERY: Final = 0.05\n"),))
CLOCK = Guard(
    "service/retention.py",
    (
        (
            "    return time.time_ns() // 1000\n",
            '    return time.time_ns() // 1000 + int(open(__file__ + ".ahead").read()) * 1_000_000\n',
        ),
    ),
)
"""The clock is set by a file."""
BY_THE_CLOCK = Guard("service/retention.py", (("min(clock, due) - ", "clock - "),))


def set_ahead(directory: Path, seconds: int) -> None:
    """Set that clock at once: it is read at any moment."""
    file = directory / "unguarded/observatory/service/retention.py.ahead"
    new = file.with_suffix(".new")
    new.write_text(str(seconds))
    new.rename(file)


@pytest.mark.parametrize("guarded", [True, False])
def test_a_clock_that_jumps_ahead_deletes_nothing(
    serve: Callable[..., ObservatoryServer], directory: Path, guarded: bool
) -> None:
    program = without(directory, OFTEN, CLOCK, *([] if guarded else [BY_THE_CLOCK]))
    set_ahead(directory, 0)
    server = serve("--retain", "90d", **program)
    for number in range(5):
        server.send({"n": number})
    set_ahead(directory, 400 * DAY)
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
    program = without(directory, OFTEN, CLOCK)
    set_ahead(directory, 0)
    server = serve("--retain", "90d", **program)
    for number in range(5):
        server.send({"n": number})
    server.end()
    set_ahead(directory, 400 * DAY)
    again = serve("--retain", "90d", **program)
    again.wait_for("warning: the clock is 400 days ahead")
    assert len(again.events()) == 5
    set_ahead(directory, 0)
    again.restart()
    assert [event["n"] for event in again.events()] == [0, 1, 2, 3, 4]


def test_the_database_stays_as_small_as_was_said(serve: Callable[..., ObservatoryServer], directory: Path) -> None:
    server = serve("--max-size", "2M", **without(directory, OFTEN))
    for number in range(1000):
        server.send({"n": number, "text": "x" * 8000})
    file = Path(server.database)

    def is_small() -> bool:
        server.send({"n": 1000})
        return server.events("?limit=1000")[0]["n"] > 700 and file.stat().st_size < 3 << 20

    until(is_small, lambda: f"it shrinks: {file.stat().st_size}")
    numbers = [event["n"] for event in server.events("?limit=1000")]
    assert numbers == sorted(numbers)
    assert numbers[0] < 900


def test_a_database_is_compacted_where_no_server_uses_it(
    serve: Callable[..., ObservatoryServer], directory: Path
) -> None:
    server = serve()
    for number in range(100):
        server.send({"n": number, "text": "x" * 80_000})
    words = command("compact", "--database", server.database)

    def compacted() -> subprocess.CompletedProcess[str]:
        return subprocess.run(words, env=environment(directory), capture_output=True, text=True, check=False)

    refused = compacted()
    assert refused.returncode == 1
    assert "another server uses the database" in refused.stderr
    server.end()
    with contextlib.closing(sqlite3.connect(server.database)) as connection:
        connection.execute("DELETE FROM event WHERE id < 100")
        connection.commit()
    done = compacted()
    assert re.fullmatch(rf"{server.database} has 0\.\d MiB now, and had \d\.\d MiB\n", done.stdout), done
    server.start()
    assert [event["n"] for event in server.events()] == [99]
