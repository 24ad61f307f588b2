"""A secret of each kind, sent as a hook sends it, and then looked for wherever an event goes."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pty
import re
import select
import signal
import socket
import struct
import subprocess
import termios
import threading
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.fleet.bus import plain_server
from tests.fleet.collector import Collector
from tests.helpers.deadline import PATIENCE, until
from tests.helpers.observatory_command import bytes_here, command, environment, started
from tests.helpers.secrets import AROUND, PLANTED, private_key
from tests.web.conftest import Web

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.helpers.observatory_server import ObservatoryServer

SECRETS = {**PLANTED, **{name: secret for name, (_, secret) in AROUND.items()}}
KEY = private_key()
PIECES = [*(secret[-16:] for secret in SECRETS.values()), *(line[:24] for line in KEY.splitlines()[1:-1])]


OUTPUTS = (
    *("/events", "events", "events --json", "sessions", "sessions --json", "files", "commands", "failures"),
    *("export --format csv", "export --format jsonl", "export --format parquet", "sql SELECT * FROM events"),
    *("watch", "notify", "notify --command", "page", "output socket", "forward", "NATS"),
)
"""Where texts of events come out; each has the planted ones if nothing takes them out."""
LAST = "the-last-session"


def plant(server: ObservatoryServer) -> int:
    """Send events with secrets in all places of one; how many."""
    texts = [*PLANTED.values(), *(around.format(secret) for around, secret in AROUND.values()), KEY]
    sent: list[tuple[str, bytes]] = []
    for number, text in enumerate(texts):
        asked = {"questions": [{"question": f"Is it {text}?"}]}
        for event, said in (
            ("PreToolUse", {"tool_name": "AskUserQuestion", "tool_input": asked}),
            ("PostToolUse", {"tool_name": "Write", "tool_input": {"file_path": f"/p/{text}", "content": text}}),
            ("PostToolUseFailure", {"tool_name": "Bash", "tool_input": {"command": text}, "error": f"no: {text}"}),
            ("MessageDisplay", {"delta": text}),
            ("StopFailure", {"error": text, "last_assistant_message": text}),
        ):
            sent.append((event, json.dumps({"session_id": f"t{number}", "cwd": f"/p/{text}", **said}).encode()))
    for number, text in enumerate(texts):
        said = {"session_id": f"s{number}", "tool_name": "Bash", "tool_input": {"command": f"x {text}"}}
        sent.append(("PreToolUse", json.dumps(said).encode()))
        sent.append(("PostToolUse", json.dumps({**said, "tool_response": {"stdout": [text]}}).encode()))
        sent.append(("Odd", f"no JSON: {text}".encode()))
    for secret in PLANTED.values():
        named = {"session_id": secret, "tool_name": secret, "hook_event_name": secret, "cwd": secret}
        sent.append((secret, json.dumps(named).encode()))
    sent.append(("Stop", json.dumps({"session_id": LAST}).encode()))
    for event, body in sent:
        assert server.send(body, event) == 200
    return len(sent)


def everywhere(server: ObservatoryServer, directory: Path) -> dict[str, bytes]:
    """All that is kept, printed, shown and handed on of the server's events, by its place."""

    def said(*arguments: str) -> bytes:
        variables = environment(directory, XDG_STATE_HOME=str(directory / "state"))
        done = bytes_here(variables, *arguments, "--socket", server.path)
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    found = {"/events": server.get("/events")[1], "log": server.log_text().encode()}
    for words in (
        ["events"],
        ["events", "--json"],
        ["sessions"],
        ["sessions", "--json"],
        ["files"],
        ["commands"],
        ["failures"],
        ["durations"],
        ["export", "--format", "csv"],
        ["export", "--format", "jsonl"],
        ["sql", "SELECT * FROM events"],
    ):
        found[" ".join(words)] = said(*words)
    found["export --format parquet"] = rows_of_parquet(said("export", "--format", "parquet"))
    found["watch"] = screens_of_watch(server, directory)
    with Collector() as collector:
        thread = threading.Thread(target=collector.serve_forever)
        thread.start()
        found["forward's words"] = said("forward", "--to", collector.url, "--once")
        collector.shutdown()
        thread.join()
        found["forward"] = b"".join(each.SerializeToString() for each in collector.requests)
    with plain_server("nats-server", directory / "jetstream") as port:
        url = f"nats://127.0.0.1:{port}"
        said("forward", "--to", url, "--make-stream", "1")
        found["forward's words to NATS"] = said("forward", "--to", url, "--once")
        found["NATS"] = bytes_here(environment(directory), "events", "--json", "--from", url).stdout
    page = Web(server)
    try:
        found["page"] = page_of(page)
    finally:
        page.end()
    found.update({file.name: file.read_bytes() for file in directory.rglob("*") if file.is_file()})
    return found


def rows_of_parquet(data: bytes) -> bytes:
    """What is in a Parquet file, whose bytes are compressed."""
    parquet = pytest.importorskip("pyarrow.parquet")
    return repr(parquet.read_table(BytesIO(data)).to_pylist()).encode()


def screens_of_watch(server: ObservatoryServer, directory: Path) -> bytes:
    """What `observatory watch` draws of the latest events, the first of them opened."""
    words = command("watch", "--socket", server.path)
    child, terminal = pty.fork()
    if child == 0:
        os.execvpe(words[0], words, {**environment(directory), "TERM": "xterm-256color"})
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 200, 200, 0, 0))
    shown = b""

    def shows(*texts: bytes) -> bool:
        nonlocal shown
        if select.select([terminal], [], [], 0.05)[0]:
            shown += os.read(terminal, 65536)
        return all(text in shown for text in texts)

    try:
        until(lambda: shows(b"MessageDisplay", b"StopFailure"), "the events are shown")
        before = len(shown)
        os.write(terminal, b"\r")
        until(lambda: shows() or len(shown) > before + 100, "an event is opened")
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(terminal)
    return shown


@contextlib.contextmanager
def notified(server: ObservatoryServer, directory: Path) -> Iterator[dict[str, bytes]]:
    """What `observatory notify` says and sends of all that happens meanwhile, to its last."""
    got = directory / "got"
    kinds = "waits,finished,failed,tool-failed,ended,died"
    told: dict[str, bytes] = {}
    words = ("notify", "--socket", server.path, "--on", kinds, "--burst", "0.1", "--command", f"cat >> {got}")
    with started(*words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        try:
            process.stderr.readline()
            yield told
            until(lambda: got.exists() and LAST in got.read_text(), "the last session is told of")
        finally:
            process.send_signal(signal.SIGINT)
        told["notify"] = (process.stdout.read() + process.stderr.read()).encode()
        told["notify --command"] = got.read_bytes()


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
    serve: Callable[..., ObservatoryServer], need: Callable[[str, str], str], directory: Path, guarded: bool
) -> None:
    server = serve("--output-socket", f"{directory}/out", "--tee", *([] if guarded else ["--no-redact"]))
    need("nats-server", "nats-server")
    with notified(server, directory) as told_of, socket.socket(socket.AF_UNIX) as reader:
        reader.connect(f"{directory}/out")
        count = plant(server)
        told = b""
        reader.settimeout(PATIENCE)
        while told.count(b"\n") < count:
            told += reader.recv(1 << 20)
    places = everywhere(server, directory) | told_of
    places["output socket"] = told
    server.kill()
    places.update({f"{file.name} after a kill": file.read_bytes() for file in directory.rglob("*") if file.is_file()})
    leaks = {(place, piece) for place, data in places.items() for piece in PIECES if piece.encode() in data}
    if guarded:
        assert leaks == set()
        assert {place for place in OUTPUTS if b"[redacted: " not in places[place]} == set()
        assert places["/events"].count(b"[redacted: ") >= count
    else:
        leaking = {place for place, _ in leaks}
        assert leaking >= {*OUTPUTS, "s.db-wal", "s.out"}


def test_rules_of_ones_own_are_taken_as_well(serve: Callable[..., ObservatoryServer], directory: Path) -> None:
    rules = directory / "rules.toml"
    rules.write_text("[[rules]]\nid = 'ticket'\nregex = '''TICK-[0-9]+'''\nkeywords = ['tick-']\n")
    server = serve("--redact-with", str(rules))
    server.send({"a": f"TICK-123 {PLANTED['github-token']}"})
    assert server.events()[0]["a"] == "[redacted: ticket, 8 characters] [redacted: github-token, 40 characters]"


GITLEAKS = r"""
# Of our own writing, in the form of gitleaks' configuration, with what its own has.
title = "our rules"
minVersion = "v8.25.0"

[extend]
useDefault = false
disabledRules = ["none"]

[[allowlists]]
description = "global"
regexTarget = "match"
regexes = ['(?i)^true$', '^\$\{[a-z]+\}$']
paths = ['(^|/)vendor/', 'go\.sum$']

[[rules]]
id = "ticket"
description = "A ticket of the office's, which opens its door"
regex = '(?i)\b(tick-[0-9]{4})(?:[\x60\x27"\s;]|$)'
secretGroup = 1
entropy = 1.5
keywords = ["tick-"]
tags = ["door"]

[[rules.allowlists]]
condition = "AND"
stopwords = ["0000"]

[[rules]]
id = "badge"
regex = "badge[ :=]+([a-f0-9]{8})"
keywords = ["BADGE"]

[[rules]]
id = "key-store"
description = "By a file's name alone"
path = '(?i)\.p12$'
"""


def test_gitleaks_own_form_is_taken(serve: Callable[..., ObservatoryServer], directory: Path) -> None:
    rules = directory / "gitleaks.toml"
    rules.write_text(GITLEAKS)
    server = serve("--redact-with", str(rules))
    server.send({"a": "open with TICK-4711; and badge: 0badc0de or tick-47", "file": "/x.p12"})
    assert server.events()[0]["a"] == (
        "open with [redacted: ticket, 9 characters]; and badge: [redacted: badge, 8 characters] or tick-47"
    )
    assert server.events()[0]["file"] == "/x.p12"
    assert b"4711" not in b"".join(file.read_bytes() for file in directory.glob("s*") if file.is_file())


def test_rules_that_make_no_sense_are_refused_at_the_start(directory: Path) -> None:
    words = command("serve", "--socket", f"{directory}/s", "--redact-with", f"{directory}/none.toml")
    done = subprocess.run(words, env=environment(directory), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"--redact-with {directory}/none.toml: No such file or directory\n"
    assert not Path(f"{directory}/s").exists()
