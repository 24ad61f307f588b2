"""The commands, beside a real server."""

from __future__ import annotations

import csv
import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from observatory.cli.main import main
from observatory.cli.sessions import _words, since
from observatory.hooks.command import Recipient, hook_command
from observatory.sessions.state import sessions
from tests.helpers.deadline import PATIENCE, until
from tests.helpers.observatory_command import command, environment, here
from tests.helpers.observatory_server import ObservatoryServer, serving

if TYPE_CHECKING:
    from collections.abc import Iterator


NONE = "observatory events: there is no such event that you may see\n"


class Commands:
    """The commands that speak to a server."""

    def __init__(self, server: ObservatoryServer) -> None:
        self.server = server
        self.environment = environment(Path(server.path).parent, LANG="C.UTF-8")

    def say(self, event: str, **fields: Any) -> None:
        """Send an event by a hook's own command."""
        hook = hook_command(event, Recipient(self.server.path))
        subprocess.run(["sh", "-c", hook], input=json.dumps(fields), text=True, check=True)

    def start(self, *arguments: str, **options: Any) -> subprocess.Popen[str]:
        words = command(*arguments, "--socket", self.server.path)
        return subprocess.Popen(words, text=True, env=self.environment, **options)

    def run(self, *arguments: str, status: int = 0) -> str:
        done = here(self.environment, *arguments, "--socket", self.server.path)
        assert done.returncode == status, done.stderr
        assert (done.stderr in {"", NONE}) == (status == 0)
        return done.stdout + done.stderr

    def events(self, *arguments: str) -> list[dict[str, Any]]:
        said = self.run("events", "--json", *arguments)
        return [] if said == NONE else [json.loads(line) for line in said.splitlines()]


@pytest.fixture
def commands(curl: str) -> Iterator[Commands]:
    with serving() as server:
        yield Commands(server)


@pytest.fixture(scope="module")
def shared(curl: str) -> Iterator[Commands]:
    """Of a server that several tests ask, whatever the others have told it."""
    with serving() as server:
        yield Commands(server)


def test_whoami_tells_the_credentials_that_the_kernel_gave_the_server(shared: Commands) -> None:
    said = json.loads(shared.run("whoami", "--json"))
    assert (said["uid"], said["gid"]) == (os.geteuid(), os.getegid())
    text = shared.run("whoami")
    assert f" uid={os.geteuid()}(" in text
    assert f" gid={os.getegid()}(" in text


def test_events_are_filtered_by_what_is_asked_for(commands: Commands) -> None:
    commands.say("SessionStart", session_id="a")
    commands.say("PreToolUse", session_id="a", tool_name="Bash", tool_input={"command": "make\n all"})
    commands.say("PreToolUse", session_id="b", tool_name="Read")
    ids = [event["_id"] for event in commands.events()]
    assert len(ids) == 3
    assert [event["_id"] for event in commands.events("--session", "a")] == ids[:2]
    assert [event["_id"] for event in commands.events("--event", "PreToolUse", "--tool", "Read")] == ids[2:]
    assert [event["_id"] for event in commands.events("--after", str(ids[0]))] == ids[1:]
    assert [event["_id"] for event in commands.events("--limit", "1")] == ids[2:]
    assert commands.events("--user", "4001") == []
    assert len(commands.events("--user", str(os.geteuid()))) == 3
    heading, _, row, _ = commands.run("events").splitlines()
    assert heading.split() == ["ID", "TIME", "USER", "EVENT", "SESSION", "TOOL", "TOOK", "WHAT"]
    assert row.endswith("  PreToolUse    a        Bash        make all")


def test_several_names_are_alternatives(commands: Commands) -> None:
    for tool in ("Edit", "Write", "Read"):
        commands.say("PreToolUse", session_id="r10", tool_name=tool)
    commands.say("Stop", session_id="r11")

    def tools(*arguments: str) -> list[str | None]:
        return [event.get("tool_name") for event in commands.events(*arguments)]

    assert tools("--tool", "Edit", "--tool", "Write") == ["Edit", "Write"]
    assert tools("--event", "PreToolUse", "--event", "Stop", "--session", "r10") == ["Edit", "Write", "Read"]
    assert tools("--session", "r10", "--session", "r11", "--limit", "2") == ["Read", None]


def test_a_short_id_that_is_printed_is_taken(commands: Commands) -> None:
    commands.say("Stop", session_id="0a1b2c3d-1111-2222-3333-444455556666")
    commands.say("Stop", session_id="r1")
    commands.say("Stop", session_id="r10")
    assert "  0a1b2c3d\n" in commands.run("events", "--event", "Stop")
    assert [event["_id"] for event in commands.events("--session", "0a1b2c3d")] == [1]
    assert [event["_id"] for event in commands.events("--session", "0a1b", "--session", "r1")] == [1, 2], "r1 is whole"
    refused = commands.run("events", "--session", "0a1b2c3e", status=1)
    assert "of a session whose id is or begins with '0a1b2c3e'; `observatory sessions`" in refused
    with following(commands, "--json", "--session", "later") as process:
        assert process.stdout is not None
        commands.say("Stop", session_id="later-than-now")
        assert json.loads(process.stdout.readline())["session_id"] == "later-than-now"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--event", "PreTolUse"], "no event 'PreTolUse' is known, and none was recorded; did you mean PreToolUse?"),
        (["--event", "stop"], "did you mean Stop?"),
        (["--tool", "bash"], "no tool 'bash' is known, and none was recorded; did you mean Bash?"),
        (["--tool", "qqqq"], "no tool 'qqqq' is known, and none was recorded\n"),
        (["--since", "soon"], "--since: 'soon' is not a time such as 1h, today, yesterday, 2026-01-31"),
        (
            ["--since", "0001-01-01T00:00+14:00"],
            "--since: '0001-01-01T00:00+14:00' is in no year from 1 to 9999 in UTC",
        ),
        (["--until", "9999-12-31T23:59:59-23:59"], "--until: '9999-12-31T23:59:59-23:59' is in no year from 1 to"),
        (["--until", "1h", "--follow"], "--follow has no end"),
    ],
)
def test_what_nobody_can_have_meant_is_refused_with_the_nearest(
    shared: Commands, arguments: list[str], says: str
) -> None:
    assert says in shared.run("events", *arguments, status=2)


def test_a_name_of_a_client_to_come_is_taken_once_it_is_recorded(commands: Commands) -> None:
    commands.say("PreToolUsed", tool_name="bash")
    assert len(commands.events("--event", "PreToolUsed", "--tool", "bash")) == 1
    assert commands.events("--event", "Setup", "--tool", "mcp__git__issue") == [], "known, and none there"


def test_times_are_local_with_their_offset_and_may_be_asked_for(commands: Commands) -> None:
    commands.say("PostToolUse", session_id="s", tool_name="Bash", duration_ms=81234)
    recorded = datetime.fromisoformat(commands.events()[0]["_ts"])
    there = recorded.astimezone(timezone(timedelta(hours=-5)))
    commands.environment["TZ"] = "EST5"
    with commands.start("events", stdout=subprocess.PIPE) as process:
        row = process.communicate()[0].splitlines()[1]
    assert f"  {there:%Y-%m-%d %H:%M:%S}-05:00  " in row
    assert "  Bash  1m21s  " in f"{row}  "
    assert f"  {recorded:%Y-%m-%d %H:%M:%S}Z  " in commands.run("events", "--utc")
    after = recorded + timedelta(microseconds=1)
    assert len(commands.events("--since", recorded.isoformat(), "--until", after.isoformat())) == 1
    assert commands.events("--since", after.isoformat()) == []
    assert commands.events("--until", recorded.isoformat()) == []
    assert len(commands.events("--since", "1h")) == 1
    assert commands.events("--until", "1h") == []
    # To the second before, in the time of that place.
    assert len(commands.events("--since", f"{there - timedelta(seconds=1):%Y-%m-%dT%H:%M:%S}")) == 1
    assert commands.events("--utc", "--until", f"{there:%Y-%m-%dT%H:%M:%S}") == [], "the same digits, 5 hours earlier"


@contextmanager
def following(commands: Commands, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    process = commands.start("events", "--follow", *arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def test_events_go_on_with_what_comes(commands: Commands) -> None:
    commands.say("Stop", session_id="before")
    with following(commands, "--json") as process:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["session_id"] == "before"
        commands.say("Stop", session_id="after")
        assert json.loads(process.stdout.readline())["session_id"] == "after"


def test_a_follower_says_once_that_the_server_has_ended_and_goes_on_with_the_next(commands: Commands) -> None:
    commands.say("Stop", session_id="s")
    with following(commands) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("ID")
        assert "Stop" in process.stdout.readline()
        assert commands.server.end() == 0
        assert process.stderr is not None
        said = process.stderr.readline()
        ended = f"the server at {commands.server.path} has ended"
        assert said == f"observatory events: {ended}; trying again until it can be reached\n"
        commands.server.start()
        commands.say("Notification", session_id="s")
        assert "Notification" in process.stdout.readline()
        process.kill()
        assert process.stderr.read() == ""


def test_a_follower_whose_server_is_not_there_in_the_beginning_ends(commands: Commands) -> None:
    assert commands.server.end() == 0
    assert "there is no" in commands.run("events", "--follow", status=69)


def test_a_follower_of_so_many_events_ends_with_the_last(commands: Commands) -> None:
    commands.say("Stop", session_id="a")
    with following(commands, "--json", "--after", "0", "--limit", "3") as process:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["_id"] == 1
        commands.server.restart()
        for _ in range(3):
            commands.say("Stop", session_id="a")
        assert [json.loads(line)["_id"] for line in process.stdout] == [2, 3]
        assert process.wait(PATIENCE) == 0


def test_whoever_stops_reading_hears_no_complaint(commands: Commands) -> None:
    for _ in range(3):
        commands.say("Stop", text="x" * 100_000)
    process = commands.start("events", "--json", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.read(10)
    process.stdout.close()
    assert process.stderr is not None
    assert process.stderr.read() == ""
    assert process.wait(PATIENCE) == 141
    process.stderr.close()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="/dev/full is Linux's")
@pytest.mark.parametrize("arguments", [["events"], ["events", "--json"], ["events", "--follow"], ["sessions"]])
def test_an_output_that_takes_nothing_is_said(shared: Commands, arguments: list[str]) -> None:
    shared.say("Stop", session_id="a")
    with Path("/dev/full").open("wb") as full:
        process = shared.start(*arguments, stdout=full, stderr=subprocess.PIPE)
        said = process.communicate(timeout=PATIENCE)[1]
    assert (process.returncode, said) == (
        74,
        "observatory: standard output can't be written: No space left on device\n",
    )


def test_no_output_at_all_is_said(shared: Commands) -> None:
    shared.say("Stop", session_id="a")
    process = shared.start("events", stderr=subprocess.PIPE, preexec_fn=lambda: os.close(1))
    assert process.communicate(timeout=PATIENCE)[1] == (
        "observatory: standard output can't be written: Bad file descriptor\n"
    )
    assert process.returncode == 74


def test_sessions_tell_their_states(commands: Commands) -> None:
    commands.say("SessionStart", session_id="a", cwd="/work", source="startup")
    commands.say("UserPromptSubmit", session_id="a", cwd="/work")
    commands.say("SessionStart", session_id="b", source="startup")
    commands.say("SessionEnd", session_id="b")
    commands.say("PreToolUse", session_id="a", cwd="/work", tool_name="Bash", tool_use_id="1")
    found = [json.loads(line) for line in commands.run("sessions", "--json").splitlines()]
    told = [(one["session_id"], one["state"], one["tool"], one["project"], one["uid"]) for one in found]
    assert told == [("a", "running a tool", "Bash", "/work", os.geteuid()), ("b", "ended", None, None, os.geteuid())]
    heading, first, _ = commands.run("sessions").splitlines()
    assert heading.split()[:5] == ["SESSION", "USER", "STATE", "FOR", "TOOL"]
    assert re.search(r"running a tool  \d+s +Bash  PreToolUse", first)
    assert first.endswith("/work")


def test_a_session_that_began_before_the_server_and_a_long_one_are_told_too(commands: Commands) -> None:
    commands.say("PreToolUse", session_id="began-before", tool_name="Bash", tool_use_id="1")
    commands.say("SessionStart", session_id="long")
    commands.say("Stop", session_id="long")
    states = {
        one["session_id"]: one["state"] for one in map(json.loads, commands.run("sessions", "--json").splitlines())
    }
    assert states == {"began-before": "running a tool", "long": "idle"}


def test_a_session_tells_who_asks_what(commands: Commands) -> None:
    asked = {"questions": [{"question": "Which database?"}]}
    commands.say("PreToolUse", session_id="a", tool_name="AskUserQuestion", tool_use_id="1", tool_input=asked)
    agent = {"session_id": "b", "agent_id": "1", "agent_type": "Explore", "tool_name": "Bash"}
    commands.say("PermissionRequest", **agent)
    commands.say("Stop", session_id="c", background_tasks=[{"id": "x"}])
    text = commands.run("sessions")
    for words in (
        "waiting for an answer  ",
        "  Which database?  ",
        "waiting for permission (Explore)  ",
        "idle, 1 in the",
    ):
        assert words in text
    assert "no news" not in text


def test_old_sessions_are_shown_to_whoever_asks_for_them(
    commands: Commands, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    commands.say("Stop", session_id="idle")
    commands.say("PermissionRequest", session_id="waits", tool_name="Bash")

    def shown(*arguments: str) -> str:
        assert main(["sessions", "--socket", commands.server.path, *arguments]) == 0
        return capsys.readouterr().out

    assert "--all" not in shown()
    later = time.time_ns() + 13 * 3600 * 10**9
    monkeypatch.setattr(time, "time_ns", lambda: later)
    assert [json.loads(line)["session_id"] for line in shown("--json").splitlines()] == ["waits"]
    assert [line.split()[0] for line in shown("--all").splitlines()] == ["SESSION", "waits", "idle"]
    assert shown().splitlines()[-1] == "1 more, of which nothing was heard for 12 hours: --all shows them"


def test_a_state_that_nothing_was_heard_of_for_long_says_so() -> None:
    now = datetime(2026, 1, 1, 0, 10, tzinfo=UTC)
    events = [{"_event": "PreToolUse", "_ts": "2026-01-01T00:04:00Z", "session_id": "s", "tool_name": "Bash"}]
    assert _words(sessions(events)[0], now) == "running a tool, no news for 6m"


def test_events_take_what_is_written_into_a_find_field(commands: Commands) -> None:
    for number, (tool, deep) in enumerate([("Bash", "Flaky"), ("Edit", "flaky"), ("Bash", "other"), ("Bash", "FLAKY")]):
        given = {"command": f"c{number}", "env": [{"note": deep}]}
        commands.say("PreToolUse", tool_name=tool, tool_input=given, session_id=f"s{number}")

    def found(*words: str) -> list[str]:
        return [event["session_id"] for event in commands.events(*words)]

    assert found("flaky") == ["s0", "s1", "s3"]
    assert found("flaky", "tool=ba") == found("tool=ba flaky since=1h") == ["s0", "s3"]
    assert found("tool=ba tool=ed") == ["s0", "s1", "s2", "s3"]
    assert found("flaky", "--limit", "2") == ["s1", "s3"]
    assert found("flaky", "--limit", "1", "--after", "0") == ["s0"]
    assert found("flaky", "--tool", "Bash", "--limit", "9") == ["s0", "s3"]
    assert commands.run("events", "flaky", "until=1h", status=1) == (
        "observatory events: no event, as far as you may see them, has all that you ask for\n"
    )
    assert [line.split()[-1] for line in commands.run("events", "flaky", "tool=edit").splitlines()] == ["WHAT", "c1"]
    said = commands.run("events", "tool=bsh", status=2)
    assert said == "observatory events: no tool 'bsh' is known, and none was recorded; did you mean Bash?\n"
    assert "'soon' is not a time such as 1h, today" in commands.run("events", "since=soon", status=2)
    assert "no event" in commands.run("events", "since=9999-12-31T23:59:59.999999Z", status=1)


@pytest.mark.parametrize(
    "arguments", [["--after", "-1"], ["--tool", ""], ["--limit", "x"], ["--limit", "\u0663"], ["--nonsense"]]
)
def test_a_mistaken_option_is_named(shared: Commands, arguments: list[str]) -> None:
    said = shared.run("events", *arguments, status=2)
    assert "observatory events: error:" in said or "unrecognized arguments" in said


def test_times_between_which_nothing_can_be_are_refused(shared: Commands) -> None:
    for words in (["--since", "1h", "--until", "2h"], ["since=1h", "until=2h"]):
        assert "is not after" in shared.run("events", *words, status=2)


def test_an_unknown_user_is_named(shared: Commands) -> None:
    said = shared.run("events", "--user", "nobody-of-that-name", status=2)
    assert said == "observatory events: there is no user named 'nobody-of-that-name' on this machine\n"


def on_terminal(commands: Commands, *arguments: str) -> str:
    """What a command writes when its output is a wide terminal."""
    commands.environment["COLUMNS"] = "200"
    master, slave = pty.openpty()
    process = commands.start(*arguments, stdin=slave, stdout=slave, stderr=subprocess.PIPE)
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


def test_nothing_that_others_said_can_take_over_a_terminal(commands: Commands) -> None:
    evil = "\x1b]0;title\x07\x1b[2J\u009b31m\u202e\x7f[bold]x[/bold]"
    commands.say("UserPromptSubmit", session_id=evil, prompt=evil, cwd=evil, tool_name=evil)
    for arguments in (["events"], ["events", "--json"], ["sessions"], ["sessions", "--json"]):
        said = on_terminal(commands, *arguments)
        assert "UserPrompt" in said
        # rich sets styles of its own: ESC [ numbers m, and nothing else.
        for piece in said.split("\x1b")[1:]:
            assert piece.startswith("[")
            assert piece[1 : piece.index("m")].replace(";", "").isdigit()
        assert not {"\u009b", "\u202e", "\x7f", "\x07"} & set(said)


def test_headings_are_shown_as_they_are_and_never_take_over_a_terminal(shared: Commands) -> None:
    asked = "SELECT '[/x]', 1 AS \"\x1b]0;x\x07\", count(*) FILTER (WHERE tool LIKE '[bash]%') FROM events"
    for said in (on_terminal(shared, "sql", asked), shared.run("sql", asked)):
        assert "'[/x]'" in said
        assert "LIKE '[bash]%'" in said
        assert "\\x1b]0;x\\x07" in said
        assert "\x1b]" not in said
        assert "\x07" not in said


def test_an_interrupt_ends_a_question_that_would_take_for_ever(shared: Commands) -> None:
    count = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c"
    # A row is printed once the next is there, and more is printed than is kept back: then the endless one is begun.
    row = "SELECT printf('%.*c', 20000, 'x') AS x"
    asked = f"{row} UNION ALL {row} UNION ALL SELECT * FROM ({count})"
    with shared.start("sql", "--json", asked, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.read(1) == "{"
        process.send_signal(signal.SIGINT)
        try:
            assert process.communicate(timeout=PATIENCE)[1] == ""
        finally:
            process.kill()
    assert process.returncode == 130


def test_json_means_the_same_on_a_terminal_and_is_as_it_came_elsewhere(commands: Commands) -> None:
    commands.say("Stop", text="\u009b\u202e\u2028\x7f\u00e9\U000e0041")
    shown, piped = on_terminal(commands, "events", "--json"), commands.run("events", "--json")
    assert json.loads(shown) == json.loads(piped)
    assert shown.strip().isprintable()
    body = json.dumps({"text": "\u009b\u202e"}, ensure_ascii=False)
    hook = hook_command("Raw", Recipient(commands.server.path))
    subprocess.run(["sh", "-c", hook], input=body.encode(), check=True)
    assert "\u009b\u202e" in commands.run("events", "--json", "--event", "Raw"), "a pipe gets the bytes as they are"
    assert "\\u009b\\u202e" in on_terminal(commands, "events", "--json", "--event", "Raw")


def test_ages_are_rough_and_bad_times_are_said_to_be_unknown() -> None:
    from datetime import UTC, datetime

    now = datetime(2026, 1, 10, tzinfo=UTC)
    times = ["2026-01-09T23:59:48Z", "2026-01-09T23:57:00Z", "2026-01-09T22:00:00Z", "2026-01-05T00:00:00Z"]
    assert [since(time, now) for time in times] == ["12s", "3m", "2h", "5d"]
    assert [since(time, now) for time in ("2027-01-01T00:00:00Z", "never", "2026-01-01")] == ["0s", "?", "?"]


def test_a_session_that_dies_while_no_server_runs_is_dead_to_the_next(commands: Commands) -> None:
    hook = hook_command("SessionStart", Recipient(commands.server.path))
    # The client: not a shell, the parent of the hook's shell, and alive until it is killed.
    client = (
        "import subprocess, sys; subprocess.run(['sh', '-c', sys.argv[1]], input=b'{\"session_id\": \"s\"}'); "
        "print('told', flush=True); sys.stdin.read()"
    )
    session = subprocess.Popen(
        [sys.executable, "-c", client, hook], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with session:
        assert session.stdout is not None
        assert session.stdout.readline() == "told\n"
        commands.server.restart()
        assert [json.loads(line)["state"] for line in commands.run("sessions", "--json").splitlines()] == ["fresh"]
        commands.server.end()
        session.kill()
    commands.server.start()
    until(lambda: commands.events("--event", "SessionDead"), "the death is recorded")
    (dead,) = commands.events("--event", "SessionDead")
    assert (dead["session_id"], dead["_session_pid"], dead["_peer_uid"]) == ("s", session.pid, os.geteuid())
    commands.server.restart()
    assert len(commands.events("--event", "SessionDead")) == 1


def test_an_event_of_18_megabytes_is_kept_with_its_long_values_cut(commands: Commands) -> None:
    content = "x" * 9_000_000
    body = json.dumps({"session_id": "r6", "tool_input": {"content": content}, "tool_response": {"content": content}})
    ask = ["curl", "-sS", "--unix-socket", commands.server.path, "-H", "Expect:", "--data-binary", "@-"]
    subprocess.run([*ask, "http://localhost/hook?event=PostToolUse"], input=body, text=True, check=True)
    (event,) = commands.events("--session", "r6")
    assert event["tool_input"]["content"] == content[: 64 * 1024]
    assert [(cut["place"], cut["bytes"]) for cut in event["_cut"]] == [
        ("/tool_input/content", 9_000_000),
        ("/tool_response/content", 9_000_000),
    ]


def test_what_is_too_large_even_so_is_mentioned_in_the_log(commands: Commands) -> None:
    ask = ["curl", "-sS", "--unix-socket", commands.server.path, "-H", "Expect:", "--data-binary", "@-"]
    said = subprocess.run([*ask, "http://localhost/hook"], input=b"x" * (33 << 20), capture_output=True, check=False)
    assert b"longer than 33554432 bytes" in said.stdout
    commands.server.wait_for(f"uid {os.geteuid()} sent an event that was refused with 413: The body is longer")


def test_events_are_exported_whole_or_as_rows(commands: Commands) -> None:
    call = {"session_id": "s", "cwd": "/work", "agent_id": "a", "tool_name": "Bash"}
    commands.say("PreToolUse", **call, tool_input={"command": '=HYPERLINK("x"),\n2\u202e'})
    commands.say("PostToolUse", **call, duration_ms=12.4)
    commands.say("Stop", session_id="other")
    lines = commands.run("export", "--format", "jsonl", "--session", "s").splitlines()
    assert [json.loads(line) for line in lines] == commands.events("--session", "s")
    heading, first, second = csv.reader(
        commands.run("export", "--format", "csv", "--session", "s", "--utc").splitlines()
    )
    uid = str(os.geteuid())
    assert heading[:4] == ["id", "time", "host", "uid"]
    assert first[0] == "1"
    assert first[1].endswith("Z")
    assert first[2:] == ["", uid, "PreToolUse", "s", "a", "Bash", "", "/work", '\'=HYPERLINK("x"), 2\\u202e']
    assert second[8] == "12"
    assert "invalid choice" in commands.run("export", "--format", "xml", status=2)
