"""Every command from every install: it works, or says in one sentence which extra it lacks, and never with a traceback.

Each is given nothing, something wrong, and something right.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import pty
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harness.engines.namespace import NamespaceEngine
from tests.helpers.clean_machine import way_to_packages
from tests.packaging.commands import COMMANDS, Command
from tests.packaging.conftest import EXTRAS, INSTALLS, brings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

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
PATH = os.pathsep.join(each for each in os.environ["PATH"].split(os.pathsep) if not Path(each, "uv").exists())
"""The programs of this machine, less uv, which nox brings: the harness takes that too."""
REFUSED = (1, 2, 69, 77, 127)
"""How a command ends that can't do what it is given, by the documents of both."""
ANSWER = {
    "type": "assistant",
    "sessionId": "s",
    "timestamp": "2026-11-29T10:38:44.950Z",
    "requestId": "r",
    "message": {"id": "m", "model": "claude-opus-4-8", "usage": {"input_tokens": 1, "output_tokens": 1}},
}
"""A line of Claude Code's transcripts."""


@dataclass(frozen=True)
class Environment:
    """A directory of one's own with an installed distribution, and a server that its clients find."""

    place: Path
    home: Path

    def has(self, library: str) -> bool:
        """Whether it is installed there, by one extra or another."""
        return any(self.place.glob(f"lib/python*/site-packages/{library}"))

    @contextlib.contextmanager
    def started(
        self, program: str, *words: str, terminal: bool = False
    ) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
        """A command, and the descriptor of all that it says: on a terminal of its own, or else without one."""
        variables = {"CLAUDE_UNIX_HOOK_WATCHER": f"{self.home}/s", "HOME": str(self.home), "PATH": PATH}
        ours, theirs = pty.openpty() if terminal else os.pipe()
        with subprocess.Popen(
            [self.place / "bin" / program, *(word.replace("{home}", str(self.home)) for word in words)],
            cwd=self.home,
            env={**way_to_packages(), **variables, "HARNESS_ENGINE": "namespace", "LANG": "C.UTF-8", "TERM": "xterm"},
            stdin=theirs if terminal else subprocess.DEVNULL,
            stdout=theirs,
            stderr=theirs,
        ) as process:
            os.close(theirs)
            try:
                yield process, ours
            finally:
                os.close(ours)

    def run(self, program: str, *words: str, stays: str = "", terminal: bool = False) -> tuple[int, str]:
        """How a command ended, and all that it said; what stays is ended as soon as it has said what `stays` says."""
        with self.started(program, *words, terminal=terminal) as (process, descriptor):
            said = b""
            while piece := read(descriptor):
                said += piece
                if stays and stays.encode() in said:
                    stays = ""
                    process.send_signal(signal.SIGTERM)
            return process.wait(timeout=60), said.decode(errors="replace")


def read(descriptor: int) -> bytes:
    """What is said next; nothing at the end, which a terminal tells by EIO."""
    try:
        return os.read(descriptor, 1 << 16)
    except OSError as error:
        if error.errno != errno.EIO:
            raise
        return b""


@pytest.fixture
def there(environment: Callable[[str], Path], install: str, tmp_path: Path) -> Environment:
    (tmp_path / "sweep.jsonl").write_text(f"{json.dumps(SWEPT)}\n", encoding="utf-8")
    transcripts = tmp_path / ".claude" / "projects" / "p"
    transcripts.mkdir(parents=True)
    (transcripts / "s.jsonl").write_text(f"{json.dumps(ANSWER)}\n", encoding="utf-8")
    return Environment(environment(install), tmp_path)


@contextlib.contextmanager
def served(there: Environment) -> Iterator[None]:
    """A server for the clients."""
    with there.started("observatory", "serve", "--database", "{home}/db") as (server, descriptor):
        said = b""
        while b"listening on" not in said:
            piece = read(descriptor)
            assert piece, said
            said += piece
        try:
            yield
        finally:
            server.send_signal(signal.SIGTERM)
            while read(descriptor):
                pass


def cases(command: Command) -> Iterator[tuple[tuple[str, ...], tuple[int, ...], bool]]:
    """Nothing, something wrong and, last, something right: the words, how it may end, and whether on a terminal."""
    yield command.least, command.nothing, False
    yield command.wrong, REFUSED, False
    yield command.right, command.ends, command.terminal


@pytest.mark.parametrize("command", COMMANDS, ids=str)
@pytest.mark.parametrize("install", INSTALLS)
def test_a_command_works_or_says_what_it_lacks(there: Environment, install: str, command: Command) -> None:
    if command.program == "harness" and (why := NamespaceEngine().available()) is not None:
        pytest.skip(why)
    lacks = bool(command.needs) and not there.has(command.needs)
    said = ""
    if command.after:
        with served(there):
            pass
    with served(there) if command.asks else contextlib.nullcontext():
        for words, ends, terminal in cases(command):
            status, said = there.run(command.program, command.name, *words, stays=command.stays, terminal=terminal)
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
