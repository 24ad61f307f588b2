"""Forwarding to a collector: a stand-in that speaks OTLP over HTTP; the exporter is the official one."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from observatory.forward.otlp_record import record, resource_of
from tests.fleet.collector import Collector
from tests.fleet.conftest import environment, run
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


def test_a_collector_that_refuses_for_a_while_gets_everything_in_order(
    server: ObservatoryServer, collector: Collector, folder: Path
) -> None:
    collector.refusals = 2
    server.hooks().say_all(("Stop", {"session_id": "s", "n": n}) for n in range(600))
    done = run("forward", "--socket", server.path, "--to", collector.url, "--once", state=folder)
    assert done.returncode == 0, done.stderr
    assert "it takes events again" in done.stderr
    ids = [attributes(entry)["observatory.event.id"] for entry in collector.records()]
    assert ids == list(range(1, 601))


def test_a_forwarder_killed_before_it_delivered_begins_where_it_was(
    server: ObservatoryServer, collector: Collector, folder: Path
) -> None:
    to = ("forward", "--socket", server.path, "--to", collector.url)
    server.hooks().say("Stop", session_id="one")
    assert run(*to, "--once", state=folder).returncode == 0
    collector.refusals = 1_000_000
    server.hooks().say("Stop", session_id="two")
    process = subprocess.Popen(command(*to), stderr=subprocess.DEVNULL, env=environment(folder))
    assert collector.refused.wait(30)
    process.send_signal(signal.SIGKILL)
    process.wait()
    collector.refusals = 0
    assert run(*to, "--once", state=folder).returncode == 0
    assert [attributes(entry)["session.id"] for entry in collector.records()] == ["one", "two"]


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
