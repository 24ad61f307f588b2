"""What docs/server.md and the tutorial about agents say is what happens."""

from __future__ import annotations

import argparse
import json
import os
import pwd
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from observatory import events
from observatory.cli.main import parser
from observatory.http.parser import MAX_BODY, MAX_HEAD
from observatory.service import limits, log, retention
from observatory.service.outputs import output_socket, pretty, standard_output
from observatory.service.routes import Action
from observatory.store import database
from tests.helpers.deadline import PATIENCE
from tests.helpers.documents import code_blocks, console_commands
from tests.helpers.observatory_command import environment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "server.md").read_text()


def examples(document: str) -> Iterator[tuple[str, str]]:
    """Each command of the console blocks, with what it prints."""
    for block in code_blocks((ROOT / "docs" / document).read_text(encoding="utf-8"), "console"):
        yield from console_commands(block)


def normal(text: str, home: Path) -> str:
    """What is different in each run, and for each user, as the documentation has it."""
    text = text.replace(str(home), "HOME")
    text = re.sub(r'"_ts":"[^"]+"', '"_ts":"2025-06-01T12:00:00.000000Z"', text)
    text = re.sub(r'"((?:_peer_)?pid)":\d+', r'"\1":4242', text)
    text = re.sub(r'"((?:_peer_)?[ug]id)":\d+', r'"\1":1000', text)
    text = re.sub(r'"((?:_peer_)?groups)":\[[\d,]*\]', r'"\1":[1000]', text)
    text = re.sub(r"owner \d+ group \d+", "owner 1000 group 1000", text)
    text = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d[+-]\d\d:\d\d", "2025-06-01 12:00:00+00:00", text)
    text = re.sub(rf"(?<= ){re.escape(pwd.getpwuid(os.geteuid()).pw_name)}(?= )", "you", text)
    return re.sub(r" +", " ", re.sub(r"(?<= )\d+s(?= )", "0s", text))


@pytest.mark.parametrize("document", ["server.md", "tutorial-agents.md"])
def test_every_example_does_what_it_shows(document: str, directory: Path, need: Callable[[str, str], str]) -> None:
    need("curl", "curl")
    programs = directory / "bin"
    programs.mkdir()
    (programs / "observatory").write_text(f'#!/bin/sh\nexec {sys.executable} -m observatory "$@"\n')
    (programs / "observatory").chmod(0o755)
    home = directory / "home"
    home.mkdir()
    wanted = list(examples(document))
    assert len(wanted) > 10
    # One shell for all of them, as one would type them; a line between two says where one ends.
    script = "".join(f"{command}\nstatus=$?; echo '----'; (exit $status)\n" for command, _ in wanted)
    done = subprocess.run(
        ["bash", "-c", script],
        env={**environment(home), "PATH": f"{programs}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    found = done.stdout.split("----\n")
    assert found.pop() == ""
    for (command, shows), prints in zip(wanted, found, strict=True):
        assert (command, normal(prints, home)) == (command, re.sub(r" +", " ", shows))


def test_the_files_of_one_user_are_copied_into_a_home_that_has_no_such_directory_yet(directory: Path) -> None:
    copying = re.findall(r"^(?:mkdir|cp) .*~/.*$", TEXT, re.MULTILINE)
    assert any(line.startswith("cp ") for line in copying)
    subprocess.run(["sh", "-ec", "\n".join(copying)], cwd=ROOT, env={**os.environ, "HOME": str(directory)}, check=True)
    found = {path.relative_to(directory).as_posix() for path in directory.rglob("*") if path.is_file()}
    assert ".config/systemd/user/claude-observatory.socket" in found
    assert "Library/LaunchAgents/claude-observatory.agent.plist" in found


def size(text: str) -> int:
    number, unit = re.fullmatch(r"(\d+) (MiB|KiB|s)?.*", text).groups()  # type: ignore[union-attr]
    return int(number) * {"MiB": 1 << 20, "KiB": 1 << 10}.get(unit, 1)


@pytest.mark.parametrize(
    ("what", "limit"),
    [
        ("a request's body", MAX_BODY),
        ("its request line and fields together", MAX_HEAD),
        ("time for a request, and for a peer to read some of a finite answer", limits.DEADLINE),
        ("time for requests that have begun when the server ends", limits.END_GRACE),
        ("incomplete requests and unsent answers of all users", limits.MEMORY),
        ("unread by one follower", limits.FOLLOWER_BUFFER),
        ("unread on standard output", standard_output.OUTPUT_BUFFER),
        ("readers of the output socket", output_socket.READERS),
        ("name of an event", events.LONGEST_NAME),
        ("session and tool that can be asked for", events.LONGEST_NAME),
    ],
)
def test_a_limit_is_the_one_that_the_server_has(what: str, limit: float) -> None:
    (said,) = re.findall(rf"^\| {re.escape(what)} \| (.*?) \|$", TEXT, re.MULTILINE)
    assert size(f"{said} ") == limit


def test_other_numbers_in_the_text_are_the_server_s() -> None:
    assert f"less {limits.RESERVED_DESCRIPTORS} |" in TEXT
    assert f"together at most {limits.TURN_BUDGET * 1000:.0f} ms" in TEXT
    assert retention.EVERY == 60, "once a minute"
    assert output_socket.READER_BUFFER == limits.FOLLOWER_BUFFER
    assert f"an event of more than {pretty.LONGEST_LINE >> 10} KiB stays" in TEXT.replace("\n", " ")
    assert f"the server keeps {log.LOG_BUFFER >> 10} KiB of it" in TEXT.replace("\n", " ")
    assert database.LOOK_EVERY == 1
    assert "get 503 within a second" in TEXT.replace("\n", " ")


def test_every_route_is_described_and_no_other() -> None:
    assert {path for _, path in re.findall(r"^\| `(GET|POST) (/\w+)", TEXT, re.MULTILINE)} == {
        action.value for action in Action
    }


def test_every_option_is_mentioned_and_no_other() -> None:
    top = parser()
    (subparsers,) = (action for action in top._actions if isinstance(action, argparse._SubParsersAction))
    options = {option for action in subparsers.choices["serve"]._actions for option in action.option_strings}
    others = {option for sub in subparsers.choices.values() for each in sub._actions for option in each.option_strings}
    prose = re.sub(r"^```sh.*?^```", "", TEXT, flags=re.MULTILINE | re.DOTALL)
    mentioned = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", prose))
    assert mentioned - {"--unix-socket", "--no-growth"} <= others  # curl's and the benchmark's
    assert options - {"-h", "--help", "--group"} <= mentioned


def test_every_field_that_an_event_has_is_described(directory: Path, server: object) -> None:
    server.send(b'{"a":1}')  # type: ignore[attr-defined]
    (line,) = server.stored()  # type: ignore[attr-defined]
    described = set(re.findall(r"`(_\w+)`", TEXT))
    assert {name for name in json.loads(json.dumps(line)) if name.startswith("_")} <= described
