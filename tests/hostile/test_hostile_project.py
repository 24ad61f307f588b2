"""A project of mallory's: what is planted in the place of its settings holds nobody up, and moves no cursor."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import pytest

from tests.hostile.machine import RUNTIME, opened

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.hostile.machine import Person

PROJECT = "/srv/project"
SETTINGS = f"{PROJECT}/.claude/settings.json"
BACKUP = f"{SETTINGS}.before-observatory"
COMMANDS = (["doctor"], ["install-hooks", "--project"], ["uninstall-hooks", "--project"])
LIMIT = ["sh", "-c", 'ulimit -v 600000; exec timeout 20 python3 -m observatory "$@"', "sh"]
"""Twenty seconds, and memory for Python and a settings file: who needs more was held up, or has eaten it."""

READS_AS_BEFORE = """
import pathlib, sys
from observatory.hooks import files
files.read_regular = lambda path, directory=None: pathlib.Path(path).read_bytes()
from observatory.cli.main import main
sys.exit(main(sys.argv[1:]))
"""
PRINTS_AS_BEFORE = """
import sys
import observatory.text
for name in ("printable", "printable_lines", "printable_json"):
    setattr(observatory.text, name, lambda text: text)
from observatory.cli.main import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture(scope="module")
def machine() -> Iterator[dict[str, Person]]:
    with opened() as everybody:
        yield everybody


@pytest.fixture
def people(machine: dict[str, Person]) -> Iterator[dict[str, Person]]:
    with machine["mallory"].peer() as mallory:
        mallory.does("mkdir", PROJECT)
        mallory.does("mkdir", f"{PROJECT}/.claude", "777")
    yield machine
    with machine["root"].peer() as root:
        root.does("clear", "/tmp", "/srv", RUNTIME, "/home/alice", "/root")


@pytest.fixture
def mallory(people: dict[str, Person]) -> Callable[[str], None]:
    """What mallory does, as shell words in her project."""

    def does(words: str) -> None:
        done = people["mallory"].run("sh", "-c", words, directory=f"{PROJECT}/.claude")
        assert done.status == 0, done.stderr

    return does


PLANTED = {
    "a named pipe": "mkfifo {}",
    "a symbolic link to a named pipe": "mkfifo x; ln -s x {}",
    "a symbolic link to a device": "ln -s /dev/zero {}",
    "a symbolic link to itself": "ln -s {} {}",
    "a directory": "mkdir {}",
    "a terabyte of nothing": "truncate -s 1T {}",
    "two gigabytes of words": "truncate -s 2G {}",
    "another user's file": "echo '{{}}' >{}",
}


@pytest.mark.parametrize("planted", PLANTED)
@pytest.mark.parametrize("who", ["alice", "root"])
def test_what_mallory_planted_holds_nobody_up(
    people: dict[str, Person], mallory: Callable[[str], None], planted: str, who: str
) -> None:
    mallory(PLANTED[planted].format(*["settings.json"] * 2))
    for command in COMMANDS:
        started = time.monotonic()
        done = people[who].run(*LIMIT, *command, directory=PROJECT)
        assert time.monotonic() - started < 15
        if planted == "another user's file" and who == "root":
            assert done.status == (69 if command == ["doctor"] else 0), done.stderr  # root keeps it that user's
            continue
        assert done.status in {1, 69, 77}, done
        said = done.stdout + done.stderr
        assert f"{PROJECT}/.claude/" in said or "/dev/zero" in said
        assert len(done.stderr.splitlines()) == (0 if command == ["doctor"] else 1)
    assert people["mallory"].run("ls", "-A", directory=f"{PROJECT}/.claude").stdout.count("before-observatory") == 0


@pytest.mark.parametrize("planted", ["mkfifo {}", "ln -s /dev/zero {}", "truncate -s 2G {}", "mkdir {}"])
def test_a_planted_backup_holds_nobody_up_either(
    people: dict[str, Person], mallory: Callable[[str], None], planted: str
) -> None:
    root = people["root"]
    mallory("echo '{}' >settings.json")
    assert root.observatory("install-hooks", "--project", directory=PROJECT).status == 0
    before = root.run("cat", SETTINGS).stdout
    mallory("rm -f settings.json.before-observatory; " + planted.format("settings.json.before-observatory"))
    for command in (["uninstall-hooks", "--project"], ["install-hooks", "--project", "--socket", "/run/other.sock"]):
        done = root.run(*LIMIT, *command, directory=PROJECT)
        assert done.status == 1
        assert f"{BACKUP} can't be read or written: it " in done.stderr
        assert root.run("cat", SETTINGS).stdout == before


@pytest.mark.parametrize("planted", ["a named pipe", "a symbolic link to a device"])
def test_without_the_look_these_are_held_up(
    people: dict[str, Person], mallory: Callable[[str], None], planted: str
) -> None:
    mallory(PLANTED[planted].format("settings.json", ""))
    alice = people["alice"]
    held = ["sh", "-c", 'ulimit -v 600000; exec timeout 5 python3 -c "$@"', "sh", READS_AS_BEFORE]
    done = alice.run(*held, "install-hooks", "--project", directory=PROJECT)
    assert done.status == 124 or "MemoryError" in done.stderr


def test_settings_made_to_take_long_do_not(people: dict[str, Person], mallory: Callable[[str], None]) -> None:
    """Each a megabyte: of hooks to be taken out, of names to be looked up, of lines to be compared, of nesting."""
    ours = '{"hooks":[{"command":"observatory=/a;"}]}'
    events = ",".join(f'"{number}":[{ours}]' for number in range(14_000))
    lines = ",\n".join(f'"{number}":[{ours},\n{{"hooks":[]}}]' for number in range(12_000))
    texts = [
        f'{{"hooks":{{{events}}}}}',
        f'{{"hooks":{{{lines}}}}}',
        '{"a":[' + "[],\n" * 240_000 + '[]],"hooks":{}}',
        '{"a":' + "[" * 500_000 + "]" * 500_000 + "}",
        '{"hooks":{"Stop":[' + ",".join([ours] * 18_000) + "]}}",
    ]
    root, each = people["root"], people["mallory"]
    for text in texts:
        for backup in ("{}", text):
            for name, content in (("settings.json", text), ("settings.json.before-observatory", backup)):
                assert each.run("sh", "-c", f"cat >{PROJECT}/.claude/{name}", input=content).status == 0
            for command in (*COMMANDS, ["install-hooks", "--project", "--dry-run"]):
                done = root.run(*LIMIT, *command, directory=PROJECT)
                assert done.status != 124, (text[:50], command)
                assert not {"Traceback", "KiB"} & set(done.stderr.split())


EVIL = "\u009b31m\u202e\x7f\r\x1b]0;title\x07"


def unseen(text: str) -> set[str]:
    return {character for character in text if not character.isprintable()} - {"\n", "\t"}


@pytest.mark.parametrize("guarded", [True, False])
def test_neither_a_file_nor_its_name_moves_a_cursor(people: dict[str, Person], guarded: bool) -> None:
    root, directory = people["root"], f"{PROJECT}/\x1b[2J\u202e\r"
    written = json.dumps({"a": EVIL}, ensure_ascii=False).replace("\\r", "").replace("\\u001b", "")
    make = 'mkdir -p "$1/.claude" && cat >"$1/.claude/settings.json"'
    assert people["mallory"].run("sh", "-c", make, "sh", directory, input=f"{written[:-1]}\r\n}}\r\n").status == 0
    command = ["-m", "observatory"] if guarded else ["-c", PRINTS_AS_BEFORE]
    said = ""
    for words in (COMMANDS[1], COMMANDS[1], COMMANDS[0], COMMANDS[2], COMMANDS[2]):
        done = root.run("python3", *command, *words, directory=directory)
        said += done.stdout + done.stderr
    assert unseen(said) == (set() if guarded else {"\u009b", "\u202e", "\x7f", "\r", "\x1b"})


@pytest.mark.parametrize("guarded", [True, False])
@pytest.mark.parametrize("options", [[], ["--pretty-json"], ["--pretty-yaml"]])
@pytest.mark.parametrize("size", [0, 70_000])
def test_an_event_moves_no_cursor_of_a_server_on_a_terminal(
    people: dict[str, Person], options: list[str], size: int, guarded: bool
) -> None:
    socket = f"{RUNTIME}/o.sock"
    event = json.dumps({"text": EVIL, "more": "x" * size}, ensure_ascii=False)
    command = ["-m", "observatory"] if guarded else ["-c", PRINTS_AS_BEFORE]
    words = ["python3", *command, "serve", "--socket", socket, "--database", f"{RUNTIME}/o.db", *options]
    said = on_terminal(people["alice"], words, socket, event)
    assert "title" in said
    found = unseen(said) - {"\r"}  # which the terminal puts before each line feed
    expected = {"\u009b", "\u202e", "\x7f"} if options[:1] != ["--pretty-yaml"] or size else {"\u202e"}
    assert found - {"\x1b"} == (set() if guarded else expected)


TERMINAL = """
import json, os, pty, signal, socket, subprocess, sys, time
path, event, *command = json.loads(sys.argv[1])
parent, child = pty.openpty()
server = subprocess.Popen(command, stdin=child, stdout=child, stderr=subprocess.PIPE)
os.close(child)
while b"listening" not in server.stderr.readline():
    pass
with socket.socket(socket.AF_UNIX) as sock:
    sock.connect(path)
    body = event.encode()
    sock.sendall(b"POST /hook HTTP/1.1\\r\\nHost: x\\r\\nContent-Length: %d\\r\\n\\r\\n%b" % (len(body), body))
    assert sock.recv(65536).startswith(b"HTTP/1.1 200")
server.terminate()
said = b""
while True:
    try:
        said += os.read(parent, 65536)
    except OSError:
        break
server.wait()
print(json.dumps(said.decode()))
"""


def on_terminal(person: Person, command: list[str], path: str, event: str) -> str:
    """What a server says on its terminal of one event that comes to it."""
    done = person.run("python3", "-c", TERMINAL, json.dumps([path, event, *command]), TERM="xterm")
    assert done.status == 0, done.stderr
    return str(json.loads(done.stdout))
