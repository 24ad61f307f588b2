"""Forwarding to a collector: one of the tests' own, faithful to the protocol; the exporter is the official one."""

from __future__ import annotations

import json
import os
import re
import signal
import stat
import subprocess
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from observatory.forward.otlp_record import record, resource_of
from tests.fleet.collector import (
    PROTOBUF,
    Collector,
    drop,
    event_id,
    garbage,
    never,
    refusing,
    refusing_events,
    rejecting_all_but,
    saying,
    slowly,
    take,
)
from tests.fleet.command import environment, run
from tests.helpers.deadline import until
from tests.helpers.observatory_command import command

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.helpers.observatory_server import ObservatoryServer


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as made:
        thread = threading.Thread(target=made.serve_forever)
        thread.start()
        yield made
        made.ended.set()
        made.shutdown()
        thread.join()


def attributes(entry: Any) -> dict[str, Any]:
    found = {}
    for pair in entry.attributes:
        kind = pair.value.WhichOneof("value")
        value = getattr(pair.value, kind)
        found[pair.key] = [item.int_value for item in value.values] if kind == "array_value" else value
    return found


def test_an_event_is_a_log_record_by_the_semantic_conventions(
    server: ObservatoryServer, collector: Collector, folder: Path
) -> None:
    server.hooks().say(
        "PreToolUse", session_id="s1", tool_name="Bash", tool_use_id="t1", tool_input={"command": "ls"}, _x=1
    )
    server.hooks().say("StopFailure", session_id="s1", big=1 << 70)
    done = run("forward", "--socket", server.path, "--to", collector.url, "--host", "web1", "--once", state=folder)
    assert done.returncode == 0, done.stderr
    first, second = collector.records()
    said = attributes(first)
    assert first.event_name == "claude_code.PreToolUse"
    assert (said["process.pid"], said["process.user.id"]) == (os.getpid(), os.geteuid())
    assert said["observatory.process.groups"] == sorted(os.getgroups())
    assert said["session.id"] == said["gen_ai.conversation.id"] == "s1"
    assert (said["gen_ai.tool.name"], said["gen_ai.tool.call.id"]) == ("Bash", "t1")
    assert re.fullmatch(r"web1\.[0-9a-f]{16}\.1\.20.*Z", said["log.record.uid"])
    body = {pair.key: pair.value for pair in first.body.kvlist_value.values}
    assert body["tool_input"].kvlist_value.values[0].value.string_value == "ls"
    assert not [key for key in body if key.startswith("_")]
    assert (first.severity_text, second.severity_text) == ("INFO", "ERROR")
    assert first.time_unix_nano > 1_700_000_000 * 10**9
    resource = {
        pair.key: pair.value.string_value for pair in collector.requests[0].resource_logs[0].resource.attributes
    }
    assert (resource["service.name"], resource["host.name"]) == ("claude-observatory", "web1")


def test_what_the_kernel_did_not_know_is_absent_and_not_zero() -> None:
    event = {
        "_id": 1,
        "_ts": "2026-01-01T00:00:00.000001Z",
        "_event": "x",
        "_peer_uid": None,
        "_peer_pid": None,
        "_raw": "?",
    }
    made = record(event, "h", "da7a", resource_of("h")).log_record
    assert made.attributes is not None
    assert not [key for key in made.attributes if key.startswith("process.")]
    assert made.body == "?"
    assert made.timestamp == 1_767_225_600_000_001_000


def forwarded(server: ObservatoryServer, collector: Collector, folder: Path) -> str:
    """Forward what there is; what was said."""
    done = run("forward", "--socket", server.path, "--to", collector.url, "--once", state=folder)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr


def ids(collector: Collector) -> list[int]:
    return [event_id(entry) for entry in collector.records()]


def set_aside(folder: Path) -> list[dict[str, Any]]:
    """What is in the dead-letter file, which is its owner's alone."""
    (path,) = (folder / "claude-observatory").glob("forward-*.json.refused")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    return [json.loads(line) for line in path.read_bytes().splitlines()]


LATER = {
    "401": (refusing(401, "who are you?"), "it answers 401 Unauthorized: who are you?"),
    "403": (refusing(403, "not you"), "it answers 403 Forbidden: not you"),
    "404": (saying(404, b"no such page", "text/plain"), "it answers 404 Not Found: no such page"),
    "302": (
        saying(302, b"", "", Location="http://127.0.0.1:1/login"),
        "it answers 302 Found to http://127.0.0.1:1/log",
    ),
    "429": (refusing(429, "slower", Retry_After="7"), "it answers 429 Too Many Requests: slower"),
    "502": (saying(502, b"<html>", "text/html"), "it answers 502 Bad Gateway;"),
    "503": (refusing(503, "closed"), "it answers 503 Service Unavailable: closed"),
    "never": (never, "it has not answered for 5 seconds"),
    "garbage": (garbage, "it ended the connection without an answer"),
    "a page": (saying(200, b"<html>Log in</html>", "text/html"), "not a collector: it answers 200 and text/html"),
    "no answer of the protocol's": (
        saying(200, b"\xff\xff", PROTOBUF),
        "not a collector: it answers 200 and application/x",
    ),
    "closed": (drop, "it ended the connection without an answer"),
}
"""In which ways a collector may refuse for a while, and what is said of each."""


@pytest.mark.parametrize("way", LATER)
def test_a_collector_that_refuses_for_a_while_gets_everything_in_order(
    server: ObservatoryServer, collector: Collector, folder: Path, way: str
) -> None:
    answer, words = LATER[way]
    # The exporter tries some of them again by itself, within its five seconds.
    collector.plan.extend([answer] * 8)
    server.hooks().say_all(("Stop", {"session_id": "s", "n": n}) for n in range(600))
    with Forwarding(server, collector, folder) as forwarding:
        forwarding.wait_for(words)
        collector.plan.clear()
        collector.ended.set()
        forwarding.wait_for("it takes events again")
        forwarding.wait_for("forwarded 600 events; lag 0")
    assert ids(collector) == list(range(1, 601))
    assert forwarding.said().count("does not take events just now") == 1
    assert "Traceback" not in forwarding.said()
    assert forwarding.said().splitlines()[-1].endswith("forwarded 600 events; lag 0")


def test_a_collector_that_says_when_is_not_asked_before(
    server: ObservatoryServer, collector: Collector, folder: Path
) -> None:
    collector.plan.append(refusing(429, Retry_After="6"))
    server.send()
    forwarded(server, collector, folder)
    (first, _), (second, _) = collector.seen
    assert second - first >= 6
    assert ids(collector) == [1]


def test_a_collector_that_answers_byte_by_byte_is_waited_for(
    server: ObservatoryServer, collector: Collector, folder: Path
) -> None:
    collector.plan.append(slowly)
    server.send()
    assert forwarded(server, collector, folder).endswith("forwarded 1 events; lag 0\n")
    assert ids(collector) == [1]


def test_what_a_collector_rejects_is_counted_and_named_and_not_sent_again(
    server: ObservatoryServer, collector: Collector, folder: Path
) -> None:
    collector.always = rejecting_all_but(2, "the log store is full")
    server.hooks().say_all(("Stop", {"session_id": "s"}) for _ in range(50))
    said = forwarded(server, collector, folder)
    assert re.search(r"has rejected .*\b50: the log store is full", said), said
    assert said.endswith("forwarded 1 events; lag 0; 49 rejected by the collector\n")
    assert ids(collector) == [2]
    collector.always = take
    server.send()
    assert forwarded(server, collector, folder).endswith("forwarded 1 events; lag 0\n")
    assert ids(collector) == [2, 51]


@pytest.mark.parametrize("status", [400, 413, 422])
def test_an_event_that_is_refused_is_set_aside_and_all_others_go_on(
    server: ObservatoryServer, collector: Collector, folder: Path, status: int
) -> None:
    collector.always = refusing_events(status, 13, 14, 290)
    server.hooks().say_all(("Stop", {"session_id": "s", "n": n}) for n in range(1, 301))
    said = forwarded(server, collector, folder)
    assert ids(collector) == [n for n in range(1, 301) if n not in {13, 14, 290}]
    aside = set_aside(folder)
    assert [entry["event"]["n"] for entry in aside] == [13, 14, 290]
    assert f"{status} " in aside[0]["refused"]
    assert aside[0]["refused"].endswith("record 13 is bad")
    assert "event 13 is refused, and set aside in" in said
    assert "forwarded 297 events; lag 0; 3 set aside in" in said.splitlines()[-1]
    assert len(collector.seen) < 60, "halves, not one by one"


def test_a_request_that_is_too_large_is_sent_in_parts(
    server: ObservatoryServer, collector: Collector, folder: Path
) -> None:
    collector.largest = 20_000
    server.hooks().say_all(
        ("Stop", {"session_id": "s", "filling": "x" * (30_000 if n == 70 else 1000)}) for n in range(1, 101)
    )
    forwarded(server, collector, folder)
    assert ids(collector) == [n for n in range(1, 101) if n != 70]
    assert [entry["event"]["_id"] for entry in set_aside(folder)] == [70]


def test_what_finds_no_room_in_the_file_waits_and_is_not_lost(
    server: ObservatoryServer, collector: Collector, folder: Path
) -> None:
    collector.always = refusing_events(400, 2)
    server.hooks().say_all(("Stop", {"session_id": "s"}) for _ in range(3))
    cursor = folder / "cursor"
    full = folder / "cursor.refused"
    full.touch(0o600)
    os.truncate(full, 64 * 1024 * 1024 - 10)
    with Forwarding(server, collector, folder, "--cursor", str(cursor)) as forwarding:
        forwarding.wait_for("has no room for another event")
        assert ids(collector) == [1]
        full.unlink()
        until(lambda: ids(collector) == [1, 3], forwarding.said, 60, 0.05)
    assert [json.loads(line)["event"]["_id"] for line in full.read_bytes().splitlines()] == [2]


def test_a_forwarder_ends_at_once_though_a_collector_never_answers(
    server: ObservatoryServer, collector: Collector, folder: Path
) -> None:
    collector.always = never
    server.send()
    with Forwarding(server, collector, folder) as forwarding:
        assert collector.asked.wait(30)
        begun = time.monotonic()
    assert time.monotonic() - begun < 3
    assert "forwarded 0 events; lag 1 events, " in forwarding.said()


def test_lag_is_told_while_the_collector_is_away(server: ObservatoryServer, collector: Collector, folder: Path) -> None:
    server.send()
    with Forwarding(server, collector, folder) as forwarding:
        forwarding.wait_for("forwarded 1 events; lag 0")
        collector.always = refusing(503)
        server.hooks().say_all(("Stop", {}) for _ in range(500))
        forwarding.wait_for("forwarded 1 events; lag 500 events, ")


class Forwarding:
    """A forwarder that runs, for as long as it's entered."""

    def __init__(self, server: ObservatoryServer, collector: Collector, folder: Path, *arguments: str) -> None:
        self._log = folder / "log"
        self._command = command("forward", "--socket", server.path, "--to", collector.url, *arguments)
        self._environment = environment(folder)

    def __enter__(self) -> Forwarding:
        with self._log.open("w") as log:
            self.process = subprocess.Popen(self._command, stderr=log, env=self._environment)
        return self

    def __exit__(self, *_: object) -> None:
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(30) == 0

    def said(self) -> str:
        return self._log.read_text()

    def wait_for(self, words: str) -> None:
        until(lambda: words in self.said(), lambda: f"{words!r} is said:\n{self.said()}", 60, 0.05)


def test_a_forwarder_killed_before_it_delivered_begins_where_it_was(
    server: ObservatoryServer, collector: Collector, folder: Path
) -> None:
    server.hooks().say("Stop", session_id="one")
    forwarded(server, collector, folder)
    collector.asked.clear()
    collector.always = refusing(503)
    server.hooks().say("Stop", session_id="two")
    to = command("forward", "--socket", server.path, "--to", collector.url)
    process = subprocess.Popen(to, stderr=subprocess.DEVNULL, env=environment(folder))
    assert collector.asked.wait(30)
    process.send_signal(signal.SIGKILL)
    process.wait()
    collector.always = take
    forwarded(server, collector, folder)
    assert [attributes(entry)["session.id"] for entry in collector.records()] == ["one", "two"]


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["--to", "otlp+http://127.0.0.1:1", "--ca", "/dev/null"], 2, "is not encrypted: --ca is for otlp+https://"),
        (["--to", "otlp+https://127.0.0.1:1", "--ca", "/dev/null"], 1, "/dev/null has no certificates in it"),
        (["--to", "otlp+https://127.0.0.1:1", "--ca", "/nowhere"], 1, "can't read /nowhere: No such file"),
    ],
)
def test_a_certificate_that_makes_no_sense_is_told_at_once(
    server: ObservatoryServer, folder: Path, arguments: list[str], status: int, words: str
) -> None:
    done = run("forward", "--socket", server.path, *arguments, state=folder)
    assert done.returncode == status
    assert words in done.stderr
    assert done.stderr.count("\n") == 1


def test_the_documentation_names_every_attribute(folder: Path) -> None:
    table = (
        (Path(__file__).parents[2] / "docs" / "fleet.md")
        .read_text()
        .partition("| of the event |")[2]
        .partition("\n\n")[0]
    )
    named = set(re.findall(r"`([a-z_]+(?:\.[a-z_]+)+)`", table))
    event = {
        "_id": 1,
        "_ts": "2026-01-01T00:00:00Z",
        "_event": "x",
        "_peer_uid": 1,
        "_peer_pid": 1,
        "_peer_gid": 1,
        "_peer_groups": [1],
        "session_id": "s",
        "tool_name": "t",
        "tool_use_id": "u",
    }
    made = record(event, "h", "da7a", resource_of("h"))
    assert made.log_record.attributes is not None
    assert named == {*made.log_record.attributes, "host.name"}
