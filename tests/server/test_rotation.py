"""SIGHUP: files that a program which rotates logs has given other names are opened anew, and nothing is lost."""

from __future__ import annotations

import json
import os
import pty
import signal
import stat
import sys
from typing import TYPE_CHECKING

import pytest

from tests.helpers.deadline import PATIENCE, until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.helpers.observatory_server import ObservatoryServer

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="which file a descriptor is, Linux tells")


def numbers(path: Path) -> list[int]:
    return [json.loads(line)["n"] for line in path.read_text().splitlines()]


def hang_up(server: ObservatoryServer) -> None:
    before = server.log_text().count("SIGHUP")
    server.process.send_signal(signal.SIGHUP)
    until(lambda: server.log_text().count("SIGHUP") > before, server.log_text)


def test_after_a_rotation_events_go_to_the_new_file(server: ObservatoryServer, directory: Path) -> None:
    server.output.chmod(0o640)
    server.send({"n": 1})
    for turn in range(1, 4):
        server.output.rename(directory / f"old.{turn}")
        server.send({"n": 10 * turn})
        hang_up(server)
        server.send({"n": 10 * turn + 1})
    assert server.end() == 0
    assert [numbers(directory / f"old.{turn}") for turn in (1, 2, 3)] == [[1, 10], [11, 20], [21, 30]]
    assert numbers(server.output) == [31]


def test_a_new_file_has_the_mode_of_the_old_one(serve: Callable[..., ObservatoryServer], directory: Path) -> None:
    (directory / "s.out").touch()
    (directory / "s.out").chmod(0o640)
    server = serve()
    server.output.rename(directory / "old")
    hang_up(server)
    assert stat.S_IMODE(server.output.stat().st_mode) == 0o640


def test_a_file_that_was_made_for_it_meanwhile_is_taken(server: ObservatoryServer, directory: Path) -> None:
    server.output.rename(directory / "old")
    server.output.touch(mode=0o600)
    hang_up(server)
    server.send({"n": 1})
    assert numbers(server.output) == [1]


def test_without_a_rotation_a_file_is_gone_on_with(server: ObservatoryServer) -> None:
    server.send({"n": 1})
    hang_up(server)
    server.send({"n": 2})
    assert numbers(server.output) == [1, 2]


def test_events_made_pretty_go_to_the_new_file_as_well(
    serve: Callable[..., ObservatoryServer], directory: Path
) -> None:
    server = serve("--pretty-json")
    server.send({"n": 1})
    until(lambda: '"n": 1' in server.output.read_text(), "the first is written")
    server.output.rename(directory / "old")
    hang_up(server)
    until(server.output.exists, "there is a new file")
    server.send({"n": 2})
    assert server.end() == 0
    assert '"n": 2' not in (directory / "old").read_text()
    assert '"n": 2' in server.output.read_text()


@pytest.fixture
def log_file(directory: Path) -> Iterator[int]:
    descriptor = os.open(directory / "log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    yield descriptor
    os.close(descriptor)


def test_the_log_is_opened_anew(directory: Path, log_file: int) -> None:
    from tests.helpers.observatory_server import ObservatoryServer

    server = ObservatoryServer(directory, stderr=log_file)
    server.launch()
    server.wait_until_answering()
    until(lambda: "listening" in (directory / "log").read_text(), "it has said so")
    (directory / "log").rename(directory / "old")
    server.process.send_signal(signal.SIGHUP)
    until((directory / "log").exists, "there is a new log")
    assert server.end() == 0
    assert "ending: SIGTERM" in (directory / "log").read_text()
    assert "ending" not in (directory / "old").read_text()


def test_what_is_no_file_is_left_alone(serve: Callable[..., ObservatoryServer]) -> None:
    reading, writing = os.pipe()
    server = serve(stdout=writing)
    os.close(writing)
    hang_up(server)
    server.send({"n": 1})
    assert json.loads(os.read(reading, 4096))["n"] == 1
    assert server.end() == 0
    os.close(reading)


def test_when_its_terminal_goes_it_ends_and_takes_its_socket_away(
    directory: Path, serve: Callable[..., ObservatoryServer]
) -> None:
    hand, terminal = pty.openpty()
    server = serve(stdout=terminal)
    os.close(terminal)
    os.close(hand)  # of a session's leader, the kernel would send the signal
    server.process.send_signal(signal.SIGHUP)
    assert server.process.wait(PATIENCE) == 0
    assert not (directory / "s").exists()
    server.wait_for("ending: SIGHUP")
