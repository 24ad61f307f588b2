"""`observatory notify`, beside a real server: what happens from then on reaches a receiver once."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.helpers.deadline import PATIENCE, until
from tests.helpers.observatory_command import here, started
from tests.helpers.observatory_server import serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.helpers.observatory_server import ObservatoryServer


@pytest.fixture
def server() -> Iterator[ObservatoryServer]:
    with serving() as found:
        yield found


def test_a_burst_is_one_message_and_history_none(server: ObservatoryServer, tmp_path: Path) -> None:
    server.send({"session_id": "old", "tool_name": "Bash"}, "PermissionRequest")
    got = tmp_path / "got"
    words = ("notify", "--socket", server.path, "--burst", "0.5", "--command", f"cat >> {got}; echo >> {got}")
    with started(*words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        try:
            assert (
                process.stderr.readline() == f"observatory notify: telling what happens from now on at {server.path}\n"
            )
            for session in ("one", "two", "three"):
                server.send({"session_id": session, "tool_name": "Bash"}, "PermissionRequest")
            server.send({"session_id": "three", "tool_name": "Bash"}, "PostToolUse")
            line = process.stdout.readline()
            server.send({"session_id": "two"}, "Stop")
            assert process.stdout.readline().startswith("session two has finished")
            until(lambda: got.exists() and len(got.read_text().splitlines()) == 2, "two messages")
        finally:
            process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) == 130
        assert process.stderr.read() == ""
    assert line.startswith("2 \u00d7 waits for you | session one, ")
    first, second = [json.loads(said) for said in got.read_text().splitlines()]
    assert [occasion["session_id"] for occasion in first["occasions"]] == ["one", "two"]
    assert [occasion["kind"] for occasion in second["occasions"]] == ["finished"]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return here(os.environ, "notify", *arguments)


def test_a_trial_says_whether_each_channel_works(tmp_path: Path) -> None:
    done = run("--test", "--bell", "--command", f"cat > {tmp_path}/got")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "observatory can tell you | This is a test.\n\a"
    assert json.loads((tmp_path / "got").read_text())["title"] == "observatory can tell you"
    failed = run("--test", "--command", "exit 4")
    assert failed.returncode == 1
    assert "command: exit 4 ended with status 4" in failed.stderr


@pytest.mark.parametrize(
    ("arguments", "status", "why"),
    [
        (("--on", "wait"), 2, "nothing is called 'wait'; did you mean waits?"),
        (("--quiet", "22-7"), 2, "not a time span such as 22:00-07:00"),
        (("--burst", "-1"), 2, "not a number of seconds"),
        (("--webhook", "/nowhere"), 2, "a file with one: No such file or directory"),
        (("--socket", "/nowhere.sock"), 69, "there is no /nowhere.sock"),
    ],
)
def test_what_can_not_be_is_said(arguments: tuple[str, ...], status: int, why: str) -> None:
    done = run(*arguments)
    assert done.returncode == status
    assert why in done.stderr
