"""Every command from every install: it works, or says in one sentence which extra it lacks, and never with a traceback.

Each is given nothing, something wrong, and something right.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from harness.engines.namespace import NamespaceEngine
from tests.packaging.conftest import EXTRAS, INSTALLS, brings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

NAMESPACE = ("--engine", "namespace")
SWEEP = (*NAMESPACE, "--shard", "1/512", "--worlds", "1")
LISTEN = """
import os, socket, sys
os.umask(0o117)
listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[1])
listener.listen()
while True:
    listener.accept()
"""
SERVER = ("python3", "-c", LISTEN, "{socket}")


@dataclass(frozen=True)
class Command:
    """A subcommand: the library that it needs beyond the core's, what is wrong and right for it, and how it then ends.

    `nothing` is how it ends when it is given nothing, or else `least`; `stays` is what it says when it is there to
    stay; `asks` is whether it is for a server that runs.
    """

    program: str
    name: str
    needs: str = ""
    nothing: tuple[int, ...] = (0,)
    wrong: tuple[str, ...] = ("--nonsense",)
    right: tuple[str, ...] = ()
    ends: tuple[int, ...] = (0,)
    stays: str = ""
    least: tuple[str, ...] = ()
    asks: bool = False

    def __str__(self) -> str:
        return f"{self.program}-{self.name}"


FORWARD = ("--to", "nats://127.0.0.1:1", "--once")
COMMANDS = (
    Command("observatory", "serve", right=("--database", "{home}/db"), stays="listening on"),
    Command("observatory", "events", right=("--json",), asks=True),
    Command("observatory", "sessions", right=("--json",), asks=True),
    Command("observatory", "whoami", right=("--json",), asks=True),
    # Without a terminal it says that it needs one, whatever is installed.
    Command("observatory", "watch", nothing=(1, 2), ends=(1, 2), asks=True),
    Command("observatory", "web", "starlette", wrong=("--port", "none"), stays="http://127.0.0.1:", asks=True),
    Command("observatory", "forward", "nats", nothing=(2,), right=FORWARD, asks=True),
    Command("observatory", "doctor", nothing=(0, 1), ends=(0, 1), asks=True),
    Command("observatory", "install-hooks", nothing=(2,), right=("--global", "--dry-run")),
    Command("observatory", "uninstall-hooks", nothing=(2,), right=("--global", "--dry-run")),
    Command("observatory", "completion", nothing=(2,), wrong=("ash",), right=("fish",)),
    Command("harness", "run", "rich", (2,), ("no-such-world",), ("home-0750", *NAMESPACE)),
    Command("harness", "check", "rich", (0,), ("no-such-server",), (*NAMESPACE, "--only", "mode", "--", *SERVER)),
    Command("harness", "scenarios", "rich"),
    Command("harness", "explain", "", (2,), ("/", "--uid", "x"), ("{home}/s", "--user", "root"), asks=True),
    Command("harness", "capture", "tomlkit", (2,), ("/",), ("{home}/s", "-o", "{home}/world.toml"), asks=True),
    Command("harness", "shell", "", (2,), ("home-0750",), ("home-0750", "--as", "ali", *NAMESPACE)),
    Command(
        "harness", "sweep", "hypothesis", wrong=("--worlds", "x"), right=SWEEP, least=SWEEP
    ),  # all of it takes a minute
    Command("harness", "merge", "", (2,), ("/nowhere",), ("{home}/sweep.jsonl",)),
    Command("harness", "images", "docker", (0, 69), ("sarge",), (), (0, 69)),
    Command("harness", "completion", "", (2,), ("ash",), ("zsh",)),
)
SWEPT = {
    "attempts": 1,
    "disagreements": 0,
    "seconds": 1,
    "engine": "namespace",
    "kernel": "6",
    "shard": "1/1",
    "seed": 0,
}
"""What a sweep says at its end."""


@dataclass(frozen=True)
class Environment:
    """A directory of one's own with an installed distribution, and a server that its clients find."""

    place: Path
    home: Path

    def has(self, library: str) -> bool:
        """Whether it is installed there, by one extra or another."""
        return any(self.place.glob(f"lib/python*/site-packages/{library}"))

    def start(self, program: str, *words: str) -> subprocess.Popen[str]:
        variables = {"CLAUDE_UNIX_HOOK_WATCHER": f"{self.home}/s", "HOME": str(self.home), "PATH": os.environ["PATH"]}
        filled = [word.replace("{home}", str(self.home)) for word in words]
        return subprocess.Popen(
            [self.place / "bin" / program, *filled],
            cwd=self.home,
            env={**variables, "HARNESS_ENGINE": "namespace", "LANG": "C.UTF-8"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, program: str, *words: str, stays: str = "") -> tuple[int, str]:
        """How a command ended, and all that it said; what stays is ended as soon as it has said what `stays` says."""
        with self.start(program, *words) as process:
            assert process.stdout is not None
            said = ""
            if stays:
                for line in process.stdout:
                    said += line
                    if stays in line:
                        process.send_signal(signal.SIGTERM)
                        break
            said += process.stdout.read()
            return process.wait(timeout=60), said


@pytest.fixture
def there(environment: Callable[[str], Path], install: str, tmp_path: Path) -> Environment:
    (tmp_path / "sweep.jsonl").write_text(f"{json.dumps(SWEPT)}\n", encoding="utf-8")
    return Environment(environment(install), tmp_path)


@contextlib.contextmanager
def served(there: Environment) -> Iterator[None]:
    """A server for the clients."""
    with there.start("observatory", "serve", "--database", "{home}/db") as server:
        assert server.stdout is not None
        while "listening on" not in server.stdout.readline():
            pass
        try:
            yield
        finally:
            server.send_signal(signal.SIGTERM)
            server.stdout.read()


def cases(command: Command) -> Iterator[tuple[tuple[str, ...], tuple[int, ...], str]]:
    """Nothing, something wrong and, last, something right: the words, how it may end, and what it says if it stays."""
    yield command.least, command.nothing, command.stays
    yield command.wrong, (1, 2, 69), ""
    yield command.right, command.ends, command.stays


@pytest.mark.parametrize("command", COMMANDS, ids=str)
@pytest.mark.parametrize("install", INSTALLS)
def test_a_command_works_or_says_what_it_lacks(there: Environment, install: str, command: Command) -> None:
    if command.program == "harness" and (why := NamespaceEngine().available()) is not None:
        pytest.skip(why)
    lacks = bool(command.needs) and not there.has(command.needs)
    said = ""
    with served(there) if command.asks else contextlib.nullcontext():
        for words, ends, stays in cases(command):
            status, said = there.run(command.program, command.name, *words, stays="" if lacks else stays)
            assert "Traceback" not in said, said
            if "pip install" in said:
                lacking = said.rpartition("claude-observatory[")[2].partition("]")[0]
                assert lacking in EXTRAS, said
                assert lacking not in brings(install), said
                assert len(said.splitlines()) == 1, said
                assert status in (1, 69), said
            else:
                assert status in ends, said
    assert ("pip install" in said) == lacks, said


@pytest.mark.parametrize("install", INSTALLS)
@pytest.mark.parametrize("program", ["observatory", "harness"])
def test_a_command_says_what_it_is_and_what_it_can(there: Environment, install: str, program: str) -> None:
    for expected, *words in ((0, "--version"), (0, "--help"), (2,), (2, "--nonsense"), (2, "nonsense")):
        status, said = there.run(program, *map(str, words))
        assert (status, "Traceback" in said) == (expected, False), said
