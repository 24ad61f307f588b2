"""What commands print as JSON has exactly the fields that docs/outputs.md and the schemas made from it describe."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import pytest

import harness.cli.main
import observatory.cli.main
from harness.checks.check import CheckResult, CheckVerdict
from harness.report.jsonlines import json_lines
from harness.scenarios import library
from observatory import events
from observatory.cli.answers import about
from observatory.forward.nats_source import named
from observatory.identity import PeerCredentials
from observatory.identity.process import Lineage, ProcessDetails
from observatory.notify.message import compose
from observatory.notify.occasions import Occasion
from observatory.service.requests import _described
from observatory.sessions.lifetimes import Ended
from tests.helpers.observatory_command import environment, here
from tests.helpers.observatory_server import serving
from tests.helpers.outputs import SCHEMAS, schema, unseen, wrong
from tests.helpers.runs import admitted, refused, run_of
from tests.unit.observatory.cli.test_cost_command import write

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.helpers.observatory_server import ObservatoryServer

PEER = PeerCredentials(4242, 1000, 1000, (1000, 27))
MANY = PEER._replace(groups=None, group_count=2000)
SESSION = {"session_id": "5e55", "cwd": "/srv", "agent_id": "a1", "agent_type": "reviewer"}
SAID: tuple[tuple[str, dict[str, object]], ...] = (
    ("SessionStart", {"session_id": "5e55", "cwd": "/srv"}),
    (
        "PostToolUse",
        {**SESSION, "tool_name": "Edit", "tool_input": {"file_path": "/a", "old_string": "a", "new_string": "b"}},
    ),
    ("PostToolUse", {**SESSION, "tool_name": "Bash", "tool_input": {"command": "true"}, "duration_ms": 9}),
    ("PostToolUseFailure", {**SESSION, "tool_name": "Bash", "tool_input": {"command": "x"}, "error": "no"}),
    ("StopFailure", {"session_id": "5e55", "error": "overloaded"}),
    ("PermissionRequest", {**SESSION, "tool_name": "Bash", "tool_input": {"command": "rm -r build"}}),
)


@pytest.fixture(scope="module")
def server() -> Iterator[ObservatoryServer]:
    with serving() as running:
        for name, fields in SAID:
            assert running.send(fields, name) == 200
        yield running


@pytest.fixture
def printed(server: ObservatoryServer) -> Callable[..., list[dict[str, Any]]]:
    def run(*words: str, home: Path = Path(server.path).parent) -> list[dict[str, Any]]:
        done = here(environment(home), *words, "--json", "--socket", server.path)
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    return run


@pytest.mark.parametrize("name", ["commands", "durations", "failures", "files", "sessions"])
def test_a_command_prints_what_its_table_describes(name: str, printed: Callable[..., list[dict[str, Any]]]) -> None:
    found = printed(name)
    assert wrong(name, found) == []
    elsewhere = set() if name in {"durations", "sessions"} else {"host"}
    assert unseen(name, found) == elsewhere
    assert about({"_host": "h"}) == {"host": "h"}  # which comes from NATS alone


def test_the_caller_is_described_as_the_table_says(printed: Callable[..., list[dict[str, Any]]]) -> None:
    found = [*printed("whoami"), json.loads(_described(None)), json.loads(_described(MANY))]
    assert wrong("whoami", found) == []
    assert unseen("whoami", found) == set()


def test_diagnoses_are_described_as_the_table_says() -> None:
    with serving() as server:  # of its own, since it sends an event
        done = here(environment(Path(server.path).parent), "doctor", "--json", "--socket", server.path)
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert {each["ok"] for each in found} == {True, False}, done.stderr  # nobody has installed hooks there
    assert wrong("doctor", found) == []
    assert unseen("doctor", found) == set()


def test_scenarios_are_described_as_the_table_says(capsys: pytest.CaptureFixture[str]) -> None:
    assert harness.cli.main.main(["scenarios", "--json"]) == 0
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {each["name"] for each in found} == {scenario.source for scenario in library()}
    assert wrong("scenarios", found) == []
    assert unseen("scenarios", found) == set()


def test_costs_are_described_as_the_table_says(printed: Callable[..., list[dict[str, Any]]], tmp_path: Path) -> None:
    write(tmp_path / ".claude/projects/p/here.jsonl", ("m1", "here", "claude-opus-4-8"), ("m2", "here", "new-model"))
    found = [row for by in ("session", "agent", "model", "day") for row in printed("cost", "--by", by, home=tmp_path)]
    assert wrong("cost", found) == []
    assert unseen("cost", found) == set()


def test_events_have_the_servers_fields_that_the_table_describes(printed: Callable[..., list[dict[str, Any]]]) -> None:
    def event(body: bytes, peer: PeerCredentials | None = PEER) -> events.Event:
        return events.compose(1, 0, events.timestamp(0), "Stop", peer, events.take_apart(body, keep=64))

    process = ProcessDetails(4242, 1000, "node", "claude", "/usr/bin/node", 1, 1, "/user.slice", 0)
    rare = (
        event(b"[1]", None),
        event(b"\xff"),
        event(b"{}", MANY),
        event(json.dumps({"text": "x" * 999}).encode()),
        events.with_others(event(b"{}"), [1, 2]),
        events.with_process(event(b"{}"), Lineage(process, (process,))),
        Ended("5e55", 4242, 1000, PEER).event(1, 0, events.timestamp(0)),
    )
    found = [*printed("events"), *(json.loads(named("h", each.line)) for each in rare)]
    assert len(found) == len(SAID) + len(rare)
    assert wrong("event", found) == []
    assert unseen("event", found) == set()


def test_attempts_and_their_summary_are_described_as_the_tables_say() -> None:
    found = [json.loads(line) for line in json_lines(run_of(admitted(), refused(), refused(observed="ok")))]
    assert wrong("run", found) == []
    assert unseen("run", found) == set()


@pytest.mark.skipif(sys.platform != "linux", reason="a live machine is explained on Linux")
def test_an_explanation_is_described_as_the_table_says(capsys: pytest.CaptureFixture[str]) -> None:
    for path in ("/", "/there-is-no-such"):
        harness.cli.main.main(["explain", path, "--json"])
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len(found) == 2
    assert wrong("explain", found) == []
    assert unseen("explain", found) == set()
    described = schema("explain")["properties"]["layers"]["description"]
    assert [name for name in found[0]["layers"][0] if name not in described] == []


def test_every_command_that_prints_json_is_described() -> None:
    page = (SCHEMAS.parent / "outputs.md").read_text(encoding="utf-8")
    parsers = (harness.cli.main.parser(*harness.cli.main.COMMANDS), observatory.cli.main.parser())
    commands = [command for parser in parsers for command in _commands_with_json(parser)]
    assert len(commands) > 10
    assert [command for command in commands if f"`{command} --json`" not in page] == []


def _commands_with_json(parser: argparse.ArgumentParser) -> Iterator[str]:
    (subparsers,) = (action for action in parser._actions if isinstance(action, argparse._SubParsersAction))
    for name, sub in subparsers.choices.items():
        if "--json" in sub._option_string_actions:
            yield f"{parser.prog} {name}"


@pytest.mark.parametrize("verdict", get_args(CheckVerdict))
def test_checks_are_described_as_the_table_says(verdict: Any) -> None:
    found = json.loads(json.dumps(asdict(CheckResult("mode", verdict, "it has 0660", "harness check x"))))
    assert wrong("check", [found]) == []
    assert unseen("check", [found]) == set()


def test_messages_are_described_as_the_table_says() -> None:
    occasion = Occasion("waits", (None, 1000, "5e55"), "you", "/srv", "rm", 0, None)
    found = json.loads(json.dumps(compose([occasion]).document()))
    assert wrong("notify", [found]) == []
    assert unseen("notify", [found]) == set()
    described = schema("notify")["properties"]["occasions"]["description"]
    assert [name for name in found["occasions"][0] if name not in described] == []


def test_a_field_too_many_or_of_another_type_is_found() -> None:
    good: dict[str, object] = {"pid": 1, "uid": 2, "gid": None, "groups": [4]}
    assert wrong("whoami", [good]) == []
    assert wrong("whoami", [good | {"more": 1}]) != []
    assert wrong("whoami", [good | {"uid": "2"}]) != []
    assert wrong("whoami", [{"pid": 1}]) != []
    assert wrong("event", [{"_id": 1, "_ts": "yesterday", "_event": "Stop"}]) != []
    assert wrong("event", [{"_id": 1, "_ts": "2026-11-29T08:00:00Z", "_event": "Stop", "_new": 1}]) != []
    assert unseen("whoami", [good]) == {"group_count"}
