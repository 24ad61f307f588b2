"""A secret of each kind, sent as a hook sends it, and then looked for wherever an event goes."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.fleet.collector import Collector
from tests.helpers.observatory_command import command, environment
from tests.helpers.secrets import AROUND, PLANTED, private_key
from tests.web.conftest import Web

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.helpers.observatory_server import ObservatoryServer

SECRETS = {**PLANTED, **{name: secret for name, (_, secret) in AROUND.items()}}
KEY = private_key()
PIECES = [*(secret[-16:] for secret in SECRETS.values()), *(line[:24] for line in KEY.splitlines()[1:-1])]


def plant(server: ObservatoryServer) -> int:
    """Send events with secrets in all places of one; how many."""
    texts = [*PLANTED.values(), *(around.format(secret) for around, secret in AROUND.values()), KEY]
    for number, text in enumerate(texts):
        said = {"session_id": f"s{number}", "tool_name": "Bash", "tool_input": {"command": f"x {text}"}}
        assert server.send(json.dumps(said).encode(), "PreToolUse") == 200
        assert server.send(json.dumps({**said, "tool_response": {"stdout": [text]}}).encode(), "PostToolUse") == 200
        assert server.send(f"no JSON: {text}".encode(), "Odd") == 200
    for secret in PLANTED.values():
        named = {"session_id": secret, "tool_name": secret, "hook_event_name": secret, "cwd": secret}
        assert server.send(json.dumps(named).encode(), secret) == 200
    return 3 * len(texts) + len(PLANTED)


def everywhere(server: ObservatoryServer, directory: Path) -> dict[str, bytes]:
    """All that is kept, printed, shown and handed on of the server's events, by its place."""

    def said(*arguments: str) -> bytes:
        done = subprocess.run(
            command(*arguments, "--socket", server.path),
            env=environment(directory, XDG_STATE_HOME=str(directory / "state")),
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    found = {"/events": server.get("/events")[1], "log": server.log_text().encode()}
    for words in (
        ["events"],
        ["events", "--json"],
        ["sessions"],
        ["sessions", "--json"],
        ["export", "--format", "csv"],
    ):
        found[" ".join(words)] = said(*words)
    with Collector() as collector:
        thread = threading.Thread(target=collector.serve_forever)
        thread.start()
        found["forward's words"] = said("forward", "--to", collector.url, "--once")
        collector.shutdown()
        thread.join()
        found["forward"] = b"".join(each.SerializeToString() for each in collector.requests)
    page = Web(server)
    try:
        found["page"] = page_of(page)
    finally:
        page.end()
    found.update({file.name: file.read_bytes() for file in directory.rglob("*") if file.is_file()})
    return found


def page_of(page: Web) -> bytes:
    """What a browser gets of the sessions and of the events."""

    def curl(*arguments: str) -> bytes:
        return subprocess.run(["curl", "-s", "--max-time", "2", *arguments], capture_output=True, check=False).stdout

    entered = curl("-i", page.link).decode()
    cookie = re.search(r"(?i)^set-cookie: (observatory-\d+=[\w-]+);", entered, re.MULTILINE)
    key = re.search(r"#key=([\w-]+)", entered)
    assert cookie
    assert key
    at = f"http://127.0.0.1:{page.port}/api"
    targets = ("stream?", "rows?before=9999&", "search?text=x&", "events/1?", "events/2?", "events/100?")
    return b"".join(curl("-N", "-b", cookie[1], f"{at}/{target}key={key[1]}") for target in targets)


@pytest.mark.parametrize("guarded", [True, False])
def test_no_secret_is_in_anything_that_is_kept_or_handed_on(
    serve: Callable[..., ObservatoryServer], directory: Path, guarded: bool
) -> None:
    server = serve("--output-socket", f"{directory}/out", "--tee", *([] if guarded else ["--no-redact"]))
    with socket.socket(socket.AF_UNIX) as reader:
        reader.connect(f"{directory}/out")
        count = plant(server)
        told = b""
        reader.settimeout(10)
        while told.count(b"\n") < count:
            told += reader.recv(1 << 20)
    places = everywhere(server, directory)
    places["output socket"] = told
    server.kill()
    places.update({f"{file.name} after a kill": file.read_bytes() for file in directory.rglob("*") if file.is_file()})
    leaks = {(place, piece) for place, data in places.items() for piece in PIECES if piece.encode() in data}
    if guarded:
        assert leaks == set()
        assert places["/events"].count(b"[redacted: ") >= count
    else:
        leaking = {place for place, _ in leaks}
        assert leaking >= {"/events", "events", "events --json", "export --format csv", "sessions", "forward", "page"}
        assert leaking >= {"s.db-wal", "s.out", "output socket"}


def test_rules_of_ones_own_are_taken_as_well(serve: Callable[..., ObservatoryServer], directory: Path) -> None:
    rules = directory / "rules.toml"
    rules.write_text("[[rules]]\nid = 'ticket'\nregex = '''TICK-[0-9]+'''\nkeywords = ['tick-']\n")
    server = serve("--redact-with", str(rules))
    server.send({"a": f"TICK-123 {PLANTED['github-token']}"})
    assert server.events()[0]["a"] == "[redacted: ticket, 8 characters] [redacted: github-token, 40 characters]"


def test_rules_that_make_no_sense_are_refused_at_the_start(directory: Path) -> None:
    words = command("serve", "--socket", f"{directory}/s", "--redact-with", f"{directory}/none.toml")
    done = subprocess.run(words, env=environment(directory), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"--redact-with {directory}/none.toml: No such file or directory\n"
    assert not Path(f"{directory}/s").exists()
