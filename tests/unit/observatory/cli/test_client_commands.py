"""The commands, beside a real server."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from observatory.cli.sessions import since
from observatory.feed.row import what
from observatory.hooks.command import Recipient, hook_command

if TYPE_CHECKING:
    from collections.abc import Iterator

OBSERVATORY = [sys.executable, "-m", "observatory"]


class Server:
    """A server of one's own, and the commands that speak to it."""

    def __init__(self, directory: Path) -> None:
        self.socket = directory / "o.sock"
        self.environment = {"PATH": os.environ["PATH"], "HOME": str(directory), "LANG": "C.UTF-8"}
        self.database = directory / "o.db"
        self.begin()

    def begin(self) -> None:
        self.process = subprocess.Popen(
            [*OBSERVATORY, "serve", "--socket", str(self.socket), "--database", str(self.database)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            env=self.environment,
        )
        assert self.process.stderr is not None
        for line in self.process.stderr:
            if line.startswith("listening on"):
                break

    def say(self, event: str, **fields: Any) -> None:
        command = hook_command(event, Recipient(str(self.socket)))
        subprocess.run(["sh", "-c", command], input=json.dumps(fields), text=True, check=True)

    def start(self, *arguments: str, **options: Any) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*OBSERVATORY, *arguments, "--socket", str(self.socket)], text=True, env=self.environment, **options
        )

    def run(self, *arguments: str, status: int = 0) -> str:
        done = subprocess.run(
            [*OBSERVATORY, *arguments, "--socket", str(self.socket)],
            capture_output=True,
            text=True,
            env=self.environment,
            check=False,
        )
        assert done.returncode == status, done.stderr
        assert (done.stderr == "") == (status == 0)
        return done.stdout + done.stderr

    def events(self, *arguments: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.run("events", "--json", *arguments).splitlines()]

    def restart(self) -> None:
        self.end()
        self.begin()

    def end(self) -> None:
        self.process.terminate()
        self.process.wait(10)
        if self.process.stderr is not None:
            self.process.stderr.close()


@pytest.fixture
def server(curl: str) -> Iterator[Server]:
    with tempfile.TemporaryDirectory(prefix="o-") as name:
        made = Server(Path(name))
        try:
            yield made
        finally:
            made.end()


def test_whoami_tells_the_credentials_that_the_kernel_gave_the_server(server: Server) -> None:
    said = json.loads(server.run("whoami", "--json"))
    assert (said["uid"], said["gid"]) == (os.geteuid(), os.getegid())
    text = server.run("whoami")
    assert f" uid={os.geteuid()}(" in text
    assert f" gid={os.getegid()}(" in text


def test_events_are_filtered_by_what_is_asked_for(server: Server) -> None:
    server.say("SessionStart", session_id="a")
    server.say("PreToolUse", session_id="a", tool_name="Bash", tool_input={"command": "make\n all"})
    server.say("PreToolUse", session_id="b", tool_name="Read")
    ids = [event["_id"] for event in server.events()]
    assert len(ids) == 3
    assert [event["_id"] for event in server.events("--session", "a")] == ids[:2]
    assert [event["_id"] for event in server.events("--event", "PreToolUse", "--tool", "Read")] == ids[2:]
    assert [event["_id"] for event in server.events("--after", str(ids[0]))] == ids[1:]
    assert [event["_id"] for event in server.events("--limit", "1")] == ids[2:]
    assert server.events("--user", "4001") == []
    assert len(server.events("--user", str(os.geteuid()))) == 3
    heading, _, row, _ = server.run("events").splitlines()
    assert heading.split() == ["ID", "TIME", "USER", "EVENT", "SESSION", "TOOL", "WHAT"]
    assert row.endswith("  PreToolUse    a        Bash  make all")


@contextmanager
def following(server: Server, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    process = server.start("events", "--follow", *arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def test_events_go_on_with_what_comes(server: Server) -> None:
    server.say("Stop", session_id="before")
    with following(server, "--json") as process:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["session_id"] == "before"
        server.say("Stop", session_id="after")
        assert json.loads(process.stdout.readline())["session_id"] == "after"


def test_a_follower_says_that_the_server_has_ended(server: Server) -> None:
    server.say("Stop", session_id="s")
    with following(server) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("ID")
        assert "Stop" in process.stdout.readline()
        server.process.terminate()
        assert process.wait(10) == 69
        assert process.stderr is not None
        assert process.stderr.read() == f"observatory events: the server at {server.socket} has ended\n"


def test_whoever_stops_reading_hears_no_complaint(server: Server) -> None:
    for _ in range(3):
        server.say("Stop", text="x" * 100_000)
    process = server.start("events", "--json", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.read(10)
    process.stdout.close()
    assert process.stderr is not None
    assert process.stderr.read() == ""
    assert process.wait(10) == 0
    process.stderr.close()


def test_sessions_tell_their_states(server: Server) -> None:
    server.say("SessionStart", session_id="a", cwd="/work", source="startup")
    server.say("UserPromptSubmit", session_id="a", cwd="/work")
    server.say("SessionStart", session_id="b", source="startup")
    server.say("SessionEnd", session_id="b")
    server.say("PreToolUse", session_id="a", cwd="/work", tool_name="Bash", tool_use_id="1")
    found = [json.loads(line) for line in server.run("sessions", "--json").splitlines()]
    told = [(one["session_id"], one["state"], one["tool"], one["project"], one["uid"]) for one in found]
    assert told == [("a", "running a tool", "Bash", "/work", os.geteuid()), ("b", "ended", None, None, os.geteuid())]
    heading, first, _ = server.run("sessions").splitlines()
    assert heading.split()[:4] == ["SESSION", "USER", "STATE", "TOOL"]
    assert "running a tool  Bash  PreToolUse" in first
    assert first.endswith("/work")


def test_a_session_that_began_before_the_server_and_a_long_one_are_told_too(server: Server) -> None:
    server.say("PreToolUse", session_id="began-before", tool_name="Bash", tool_use_id="1")
    server.say("SessionStart", session_id="long")
    server.say("Stop", session_id="long")
    states = {one["session_id"]: one["state"] for one in map(json.loads, server.run("sessions", "--json").splitlines())}
    assert states == {"began-before": "running a tool", "long": "idle"}


@pytest.mark.parametrize("arguments", [["--after", "-1"], ["--limit", "x"], ["--limit", "\u0663"], ["--nonsense"]])
def test_a_mistaken_option_is_named(server: Server, arguments: list[str]) -> None:
    said = server.run("events", *arguments, status=2)
    assert "observatory events: error:" in said or "unrecognized arguments" in said


def test_an_unknown_user_is_named(server: Server) -> None:
    said = server.run("events", "--user", "nobody-of-that-name", status=2)
    assert said == "observatory events: there is no user named 'nobody-of-that-name' on this machine\n"


def on_terminal(server: Server, *arguments: str) -> str:
    """What a command writes when its output is a wide terminal."""
    server.environment["COLUMNS"] = "200"
    master, slave = pty.openpty()
    process = server.start(*arguments, stdin=slave, stdout=slave, stderr=subprocess.PIPE)
    os.close(slave)
    said = b""
    try:
        while data := os.read(master, 65536):
            said += data
    except OSError:  # EIO: the other side is closed
        pass
    os.close(master)
    _, complaint = process.communicate()
    assert process.returncode == 0, complaint
    return said.decode()


def test_nothing_that_others_said_can_take_over_a_terminal(server: Server) -> None:
    evil = "\x1b]0;title\x07\x1b[2J\u009b31m\u202e\x7f[bold]x[/bold]"
    server.say("UserPromptSubmit", session_id=evil, prompt=evil, cwd=evil, tool_name=evil)
    for arguments in (["events"], ["events", "--json"], ["sessions"], ["sessions", "--json"]):
        said = on_terminal(server, *arguments)
        assert "UserPrompt" in said
        # rich sets styles of its own: ESC [ numbers m, and nothing else.
        for piece in said.split("\x1b")[1:]:
            assert piece.startswith("[")
            assert piece[1 : piece.index("m")].replace(";", "").isdigit()
        assert not {"\u009b", "\u202e", "\x7f", "\x07"} & set(said) or arguments[-1] == "--json"
        assert not {"\u009b", "\x7f", "\x07"} & set(said)


def test_an_event_is_summed_up_by_the_one_thing_that_one_would_ask_about() -> None:
    assert what({"tool_input": {"command": "ls\n -l", "description": "x"}, "prompt": "no"}) == "ls -l"
    assert what({"tool_input": {"file_path": "/x"}}) == "/x"
    assert what({"prompt": "hello"}) == "hello"
    assert what({"tool_input": "odd", "source": "startup"}) == "startup"
    assert what({"prompt": 7}) == ""
    assert len(what({"prompt": "x" * 1000})) == 200


def test_ages_are_rough_and_bad_times_are_said_to_be_unknown() -> None:
    from datetime import UTC, datetime

    now = datetime(2026, 1, 10, tzinfo=UTC)
    times = ["2026-01-09T23:59:48Z", "2026-01-09T23:57:00Z", "2026-01-09T22:00:00Z", "2026-01-05T00:00:00Z"]
    assert [since(time, now) for time in times] == ["12s", "3m", "2h", "5d"]
    assert [since(time, now) for time in ("2027-01-01T00:00:00Z", "never", "2026-01-01")] == ["0s", "?", "?"]


def test_a_session_that_dies_while_no_server_runs_is_dead_to_the_next(server: Server) -> None:
    command = hook_command("SessionStart", Recipient(str(server.socket)))
    # The client: not a shell, the parent of the hook's shell, and alive until it is killed.
    client = (
        "import subprocess, sys; subprocess.run(['sh', '-c', sys.argv[1]], input=b'{\"session_id\": \"s\"}'); "
        "print('told', flush=True); sys.stdin.read()"
    )
    session = subprocess.Popen(
        [sys.executable, "-c", client, command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with session:
        assert session.stdout is not None
        assert session.stdout.readline() == "told\n"
        server.restart()
        assert [json.loads(line)["state"] for line in server.run("sessions", "--json").splitlines()] == ["fresh"]
        server.end()
        session.kill()
    server.begin()
    (dead,) = server.events("--event", "SessionDead")
    assert (dead["session_id"], dead["_session_pid"], dead["_peer_uid"]) == ("s", session.pid, os.geteuid())
    server.restart()
    assert len(server.events("--event", "SessionDead")) == 1
