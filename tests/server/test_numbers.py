"""One event with a number that no reader can hold is taken, is shown, and hides no other."""

from __future__ import annotations

import csv
import io
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from observatory.client.client import Client
from observatory.client.following import follow
from observatory.feed.conversation import conversation
from observatory.feed.feed import Feed
from observatory.feed.source import ServerSource
from observatory.reading import read_event
from tests.helpers.deadline import until
from tests.helpers.numbers import BEYOND, DIGITS
from tests.helpers.observatory_command import bytes_here, environment
from tests.helpers.observatory_server import serving
from tests.helpers.secrets import PLANTED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.helpers.observatory_server import ObservatoryServer

CALL = '{"session_id":"%s","tool_name":"%s","tool_input":{"command":"ls"},"duration_ms":%s,"agent_id":%s,"cwd":%s}'
EDIT = '{"session_id":"s","tool_name":"Write","tool_input":{"file_path":"/a","content":"x","n":%s},"z":%s}'


@pytest.fixture(scope="module")
def server() -> Iterator[ObservatoryServer]:
    with serving() as running:
        for number in BEYOND:
            for said in (CALL % ("s", "Bash", number, number, number), EDIT % (number, number), number):
                assert running.send(said.encode(), "PostToolUse") == 200
            assert running.send(b'{"error":%b,"tool_name":"Bash"}' % number.encode(), "PostToolUseFailure") == 200
        assert running.send((CALL % ("last", "Bash", "7", '"a"', '"/p"')).encode(), "PostToolUse") == 200
        yield running


COUNT = 4 * len(BEYOND) + 1


def run(server: ObservatoryServer, *words: str) -> bytes:
    done = bytes_here(environment(Path(server.path).parent), *words, "--socket", server.path)
    assert (done.returncode, done.stderr) == (0, b"")
    return done.stdout


def test_events_shows_all_and_the_number_as_its_text(server: ObservatoryServer) -> None:
    shown = run(server, "events").decode().splitlines()
    assert len(shown) == 1 + COUNT
    assert "1e999" in shown[3]
    assert len(run(server, "events", "--json").splitlines()) == COUNT
    assert len(run(server, "events", "tool=bash", "ls").splitlines()) == 1 + len(BEYOND) + 1


def test_who_follows_gets_what_comes_after_it(server: ObservatoryServer) -> None:
    shown = run(server, "events", "--follow", "--after", "0", "--limit", str(COUNT))
    assert len(shown.splitlines()) == 1 + COUNT

    last = Client(server.path).lines({"after": "0", "follow": "1", "limit": "9"})
    lines = follow(Client(server.path), {"after": "0", "follow": "1"}, lambda _: None)
    assert [next(lines) for _ in range(9)] == list(last)


def test_a_feed_has_every_event_and_reads_a_session_among_them(server: ObservatoryServer) -> None:
    source = ServerSource(Client(server.path))
    feed = Feed(source)
    feed.start()
    until(lambda: feed.state.trouble is not None or len(feed.news().rows) == COUNT, "all are there")
    assert feed.state.trouble is None
    feed.stop()
    of_it = list(source.of_session(None, os.geteuid(), "s", COUNT))
    assert len(of_it) == 2 * len(BEYOND)
    told = conversation("s", [(place, read_event(line)) for place, line in of_it])
    assert len(told.events) == 2 * len(BEYOND)


def test_sessions_tells_of_every_session(server: ObservatoryServer) -> None:
    found = {json.loads(line)["session_id"] for line in run(server, "sessions", "--json").splitlines()}
    assert found == {"s", "last"}
    assert b"last" in run(server, "sessions")


def test_files_commands_and_failures_tell_of_every_event(server: ObservatoryServer) -> None:
    assert len(run(server, "files", "--json").splitlines()) == len(BEYOND)
    assert len(run(server, "commands", "--json").splitlines()) == 2 * len(BEYOND) + 1
    assert len(run(server, "failures", "--json").splitlines()) == len(BEYOND)


def test_durations_counts_what_is_a_duration(server: ObservatoryServer) -> None:
    (told,) = map(json.loads, run(server, "durations", "--json").splitlines())
    assert (told["tool"], told["calls"], told["longest"]) == ("Bash", 1, 7)


@pytest.mark.parametrize("words", [[], ["--limit", "1000"]], ids=["asked itself", "fetched"])
def test_sql_has_it_in_no_number_and_the_line_as_it_came(server: ObservatoryServer, words: list[str]) -> None:
    sql = "SELECT count(*) AS n, max(duration_ms) AS most, max(agent = 'a') AS a, max(project = '/p') AS p FROM events"
    told = json.loads(run(server, "sql", *words, "--json", sql))
    assert told == {"n": COUNT, "most": 7, "a": 1, "p": 1}
    lines = run(server, "sql", *words, "--json", "SELECT line FROM events").splitlines()
    assert '"duration_ms":1e999,' in json.loads(lines[0])["line"]


def test_each_form_of_export_has_every_event(server: ObservatoryServer, tmp_path: Path) -> None:
    assert len(run(server, "export", "--format", "jsonl").splitlines()) == COUNT
    rows = list(csv.DictReader(io.StringIO(run(server, "export", "--format", "csv").decode())))
    assert (len(rows), rows[0]["agent"], rows[0]["duration_ms"], rows[-1]["duration_ms"]) == (COUNT, "1e999", "", "7")
    parquet = pytest.importorskip("pyarrow.parquet")
    file = tmp_path / "events.parquet"
    file.write_bytes(run(server, "export", "--format", "parquet"))
    assert parquet.read_table(file).column("duration_ms").to_pylist().count(7) == 1


def test_an_event_with_such_a_number_and_a_secret_is_taken_without_the_secret(
    serve: Callable[..., ObservatoryServer],
) -> None:
    server = serve()
    secret = PLANTED["github-token"]
    for number in BEYOND:
        assert server.send(b'{"a":{"n":%b,"t":"%b"}}' % (number.encode(), secret.encode())) == 200
    assert server.send(b'{"a":{"n":1e999,"t":"\\u0041 %b"}}' % secret.encode()) == 200
    kept = server.get("/events")[1]
    assert kept.count(b"[redacted: github-token") == len(BEYOND) + 1
    assert secret.encode() not in kept
    assert DIGITS.encode() in kept
