"""`files`, `commands`, `failures`, `durations`, `sql` and `export --format parquet`, beside a real server."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from observatory.cli import durations
from observatory.cli.main import main
from tests.helpers.observatory_command import command, environment, here
from tests.helpers.observatory_server import serving
from tests.helpers.own_process import effective_user

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.helpers.observatory_server import ObservatoryServer

SESSION = "0a1b2c3d-1111-2222-3333-444455556666"
STRANGER = 61235


@pytest.fixture(scope="module")
def server() -> Iterator[ObservatoryServer]:
    with serving("--mode", "0666") as running:
        Path(running.path).parent.chmod(0o755)
        tool = {"session_id": SESSION, "agent_id": "a1", "agent_type": "reviewer", "cwd": "/p"}
        for name, event, said in (
            ("Edit", "PostToolUse", {"tool_input": {"file_path": "/p/a.py", "old_string": "a", "new_string": "b"}}),
            ("Write", "PostToolUse", {"tool_input": {"file_path": "/q/b.py", "content": "x\ny"}}),
            ("Edit", "PreToolUse", {"tool_input": {"file_path": "/p/no.py", "old_string": "a", "new_string": "b"}}),
            ("Bash", "PostToolUse", {"tool_input": {"command": "make\n all"}, "duration_ms": 1500}),
            (
                "Bash",
                "PostToolUseFailure",
                {"tool_input": {"command": "make test"}, "error": "3 failed", "duration_ms": 9},
            ),
            ("Read", "PermissionDenied", {"tool_input": {"file_path": "/etc/shadow"}, "reason": "not allowed"}),
        ):
            assert running.send({**tool, "tool_name": name, **said}, event) == 200
        yield running


def run(server: ObservatoryServer, *words: str, status: int = 0) -> str:
    done = here(environment(Path(server.path).parent), *words, "--socket", server.path)
    assert done.returncode == status, done.stderr
    return done.stdout + done.stderr


def told(server: ObservatoryServer, *words: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in run(server, *words, "--json").splitlines()]


def test_files_tells_who_has_changed_what(server: ObservatoryServer) -> None:
    headings, *lines = run(server, "files").splitlines()
    assert headings.split() == ["TIME", "USER", "SESSION", "AGENT", "TOOL", "LINES", "FILE"]
    assert [re.split("  +", line)[-3:] for line in lines] == [
        ["Edit", "+1 -1", "/p/a.py"],
        ["Write", "+2 -0", "/q/b.py"],
    ]
    assert all("0a1b2c3d  reviewer" in line for line in lines)
    assert run(server, "files", "--diff", "/p").splitlines()[1:] == ["  @@ -1 +1 @@", "  -a", "  +b", ""]
    assert [each["path"] for each in told(server, "files", "/q/b.py")] == ["/q/b.py"]
    assert told(server, "files")[0]["session"] == SESSION


def test_commands_tells_what_was_run_and_how_it_ended(server: ObservatoryServer) -> None:
    _, *lines = run(server, "commands").splitlines()
    assert [re.split("  +", line)[-3:] for line in lines] == [
        ["1.5s", "ok", "make all"],
        ["9ms", "failed", "make test"],
    ]
    assert [each["command"] for each in told(server, "commands")] == ["make\n all", "make test"]


def test_failures_tells_why(server: ObservatoryServer) -> None:
    _, *lines = run(server, "failures").splitlines()
    assert [line.split("  ")[-1].strip() for line in lines] == [
        "3 failed \u00b7 make test",
        "not allowed \u00b7 /etc/shadow",
    ]
    assert [each["why"] for each in told(server, "failures", "--tool", "Read")] == ["not allowed \u00b7 /etc/shadow"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["files", "/nowhere"], "files: there is no such change of a file that you may see"),
        (["files", "--until", "1d"], "files: there is no such change of a file that you may see"),
        (["commands", "--until", "1d"], "commands: there is no such event that you may see"),
        (["failures", "--tool", "Grep"], "failures: there is no such event that you may see"),
        (["durations", "--tool", "Edit"], "durations: no such event that you may see says how long a tool took"),
        (["events", "--until", "1d"], "events: there is no such event that you may see"),
        (["export", "--format", "csv", "--until", "1d"], "export: there is no such event that you may see"),
    ],
)
def test_an_empty_answer_says_that_it_is_empty(server: ObservatoryServer, words: list[str], said: str) -> None:
    assert run(server, *words).splitlines()[1:] == [f"observatory {said}"]


def test_durations_tells_how_long_tools_take(server: ObservatoryServer) -> None:
    (row,) = told(server, "durations")
    assert row == {"tool": "Bash", "calls": 2, "median": 9, "p95": 1500, "longest": 1500}
    assert re.search("Bash  2      9ms     1.5s  1.5s     \u2588+\u2591+$", run(server, "durations"))


def test_sql_and_export_see_the_same(server: ObservatoryServer, tmp_path: Path) -> None:
    counted = told(server, "sql", "SELECT tool, count(*) AS n FROM events GROUP BY tool ORDER BY tool")
    assert counted == [
        {"tool": "Bash", "n": 2},
        {"tool": "Edit", "n": 2},
        {"tool": "Read", "n": 1},
        {"tool": "Write", "n": 1},
    ]
    assert run(server, "sql", "--event", "PreToolUse", "SELECT count(*) AS n FROM events") == "n\n1\n"
    refused = run(server, "sql", "DROP TABLE events", status=2)
    assert refused.startswith("observatory sql: SQL: only reading is allowed; the table is events (id, time, ")


def test_an_answer_is_json_or_refused(server: ObservatoryServer) -> None:
    assert told(server, "sql", "SELECT 9e999 AS x, -9e999 AS y, x'61ff' AS z") == [
        {"x": None, "y": None, "z": "a\ufffd"}
    ]
    refused = run(server, "sql", "--json", "SELECT a.id, b.id FROM events a, events b", status=2)
    assert refused == (
        "observatory sql: two columns of the answer are named 'id', of which an object can have one: give them names "
        "of their own by AS\n"
    )
    assert told(server, "sql", "SELECT a.id, b.id AS other FROM events a, events b LIMIT 1") == [{"id": 1, "other": 1}]


def test_parquet_has_the_columns_of_sql(server: ObservatoryServer, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="the extra parquet is not installed")
    file = tmp_path / "events.parquet"
    with file.open("wb") as out:
        words = command("export", "--format", "parquet", "--socket", server.path)
        subprocess.run(words, env=environment(tmp_path), stdout=out, check=True)
    table = parquet.read_table(file)
    assert str(table.schema.field("time").type) == "timestamp[us, tz=UTC]"
    said = server.events()
    assert [json.loads(line) for line in table["line"].to_pylist()] == said
    assert table["duration_ms"].to_pylist() == [event.get("duration_ms") for event in said]
    assert [time.isoformat() for time in table["time"].to_pylist()] == [
        event["_ts"].replace("Z", "+00:00") for event in said
    ]


def test_that_there_may_be_more_is_said(
    server: ObservatoryServer, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def said(*words: str) -> str:
        assert main([*words, "--socket", server.path]) == 0
        return capsys.readouterr().err

    more = "observatory durations: looked at the newest 2 events only; --limit N looks at more\n"
    assert said("durations") == ""
    monkeypatch.setattr(durations, "NEWEST", 2)
    assert said("durations", "--tool", "Bash") == more
    assert said("durations", "--tool", "Bash", "--limit", "2") == ""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")
def test_a_stranger_asks_about_events_of_their_own_alone(
    server: ObservatoryServer, capsys: pytest.CaptureFixture[str]
) -> None:
    def asks(*words: str) -> str:
        assert main([*words, "--socket", server.path]) == 0
        return capsys.readouterr().out

    count = ("sql", "--json", "SELECT count(*) AS n FROM events")
    assert json.loads(server.get("/database")[1])["path"] == server.database
    questions = [(name, "--json") for name in ("files", "commands", "failures", "durations")]
    assert asks(*count) == '{"n": 6}\n'
    assert all(asks(*words) for words in (*questions, ("export", "--format", "jsonl")))
    with effective_user(STRANGER):
        assert list(json.loads(server.get("/database")[1])) == ["id"]
        assert asks(*count) == '{"n": 0}\n'
        assert not any(asks(*words) for words in (*questions, ("export", "--format", "jsonl")))
