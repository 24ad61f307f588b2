"""The `harness` command inside a place, where nothing but Python's standard library is installed."""

from __future__ import annotations

import functools
import json
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness.engines.protocol import Completed, PlaceError
from harness.world import Principal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.engines.protocol import Place

ROOT = Principal(0, 0)
SOURCE = Path(__file__).parents[2]
MOUNTS = (f"{SOURCE / 'harness'}:/opt/explain/harness",)
ENVIRONMENT = {"PYTHONPATH": "/opt/explain", "PYTHONDONTWRITEBYTECODE": "1", "PYTHONIOENCODING": "utf-8"}


@dataclass(frozen=True)
class Explained:
    """What `harness explain` said: the outcome and component of its first line, its reason, and all of it."""

    status: int
    outcome: str
    at: str | None
    why: str
    text: str


ANSWER = """
import importlib, json, os, sys, tempfile
from harness.cli.main import main

def answer(request, out, err):
    arguments = request["arguments"]
    if "stage" in request:  # the mounts and the environment of another process: setns(2)
        from harness.inside.libc import CLONE_NEWNS, setns
        setns(os.open(f"/proc/{request['stage']}/ns/mnt", os.O_RDONLY), CLONE_NEWNS)
        os.chdir("/")
        os.environ.clear()
        os.environ.update(request["environment"])
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(out.fileno(), 1)
    os.dup2(err.fileno(), 2)
    try:
        return main(arguments)
    except SystemExit as left:
        return left.code

for line in sys.stdin:
    with (tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err,
          tempfile.TemporaryFile("w+") as loaded):
        pid = os.fork()
        if pid == 0:
            status = answer(json.loads(line), out, err)
            sys.stdout.flush()
            sys.stderr.flush()
            json.dump([name for name in sys.modules if name.startswith("harness.")], loaded)
            loaded.flush()
            os._exit(status)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        loaded.seek(0)
        for name in json.load(loaded):
            importlib.import_module(name)
        print(json.dumps([status, *(file.seek(0) or file.read() for file in (out, err))]), flush=True)
"""
"""A process that runs the command for each line of arguments, in a child, and has imported what earlier ones needed."""


_STARTED: dict[Place, subprocess.Popen[str] | None] = {}


def answering(place: Place) -> subprocess.Popen[str] | None:
    """Root's such process in a place, started when first needed; none in a place without a door for people."""
    if place not in _STARTED:
        _STARTED[place] = _start(place)
    return _STARTED[place]


def _start(place: Place) -> subprocess.Popen[str] | None:
    """It goes in by the door for people, since a world that is built ends all other processes."""
    try:
        door = place.interactive(ROOT)[:-1]
    except PlaceError:
        return None
    variables = [f"{name}={value}" for name, value in ENVIRONMENT.items()]
    command = [*door, "env", *variables, "python3", "-c", ANSWER]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


@functools.cache
def answering_here() -> subprocess.Popen[str]:
    """Such a process on this machine; it ends with its input, which is this process's."""
    return subprocess.Popen(
        [sys.executable, "-c", ANSWER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=SOURCE
    )


def harness(place: Place, *arguments: str, principal: Principal = ROOT, directory: str = "/") -> Completed:
    """Run the command in the place."""
    process = answering(place) if (principal, directory) == (ROOT, "/") else None
    if process is None:
        words = ["python3", "-m", "harness", *arguments]
        return place.run(words, principal, environment=ENVIRONMENT, directory=directory)
    return asked(process, {"arguments": arguments})


def asked(process: subprocess.Popen[str], request: Mapping[str, object]) -> Completed:
    """What becomes of one request to such a process."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(json.dumps(request) + "\n")
    process.stdin.flush()
    return Completed(*json.loads(process.stdout.readline()))


def explain(place: Place, *arguments: str, principal: Principal = ROOT, directory: str = "/") -> Explained:
    """Explain something in the place."""
    done = harness(place, "explain", *arguments, principal=principal, directory=directory)
    assert not done.stderr, done.stderr
    first = done.stdout.splitlines()[0]
    told = re.search(r": (ok|E[A-Z]+|not known)(?: (?:at|beyond) (.*))?$", first)
    assert told is not None, done.stdout
    why = re.search(r"^  why    (.*)$", done.stdout, re.MULTILINE)
    return Explained(done.status, told[1], told[2], "" if why is None else why[1], done.stdout)
