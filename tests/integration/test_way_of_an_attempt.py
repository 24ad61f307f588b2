"""The files that an attempt passes, from the built world to the verdict, and what docs/architecture.md says of them."""

from __future__ import annotations

import json
import os
import re
import sys
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, cast

import harness
from harness.inside.agent import attempts
from harness.inside.agent.loop import HANDLERS
from harness.inside.agent.networks import Networks
from harness.inside.agent.rounds import Rounds
from harness.inside.rows import EncodedAttempt
from harness.trials.run import judge_run
from harness.world import Attempt, Node, User, World, complete

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator
    from types import FrameType

    from harness.engines.protocol import Place
    from harness.inside.agent.world import Builder
    from harness.inside.messages import EncodedPrincipal

ROOT = Path(harness.__file__).parent
DOCUMENT = (ROOT.parent / "docs" / "architecture.md").read_text(encoding="utf-8")
MOST = 27
TRANSPORTS = {"engines/pipes.py", "engines/docker.py", "engines/vm/engine.py"}
"""One for each engine."""
WORLD = complete(
    World(
        "refused",
        users=(User("alice", 1500, 1500),),
        nodes=(Node("/run/s", "socket", "root", "root", 0o600),),
        attempts=(Attempt("alice", "connect", "/run/s"),),
    )
)


@contextmanager
def followed() -> Iterator[set[str]]:
    """The modules of the harness in which a function is called meanwhile, in every thread that exists already."""
    seen: set[str] = set()

    def called(frame: FrameType, event: str, _argument: object) -> None:
        file = Path(frame.f_code.co_filename)
        if event == "call" and file.is_relative_to(ROOT):
            seen.add(file.relative_to(ROOT).as_posix())

    sys.setprofile(called)
    threading.setprofile(called)
    try:
        yield seen
    finally:
        sys.setprofile(None)
        threading.setprofile(None)


def listed(heading: str) -> list[str]:
    """The files of a numbered list of the document, in its order; a package stands for those in it."""
    _, _, text = DOCUMENT.partition(f"## {heading}\n")
    return re.findall(r"^\d+\. `([^`]+)`", text.partition("\n## ")[0], re.MULTILINE)


def inside() -> set[str]:
    """What an attempt passes in a place, followed here: this process's own child makes it, and is refused."""
    me: EncodedPrincipal = {
        "uid": os.geteuid(),
        "gid": os.getegid(),
        "groups": sorted(os.getgroups()),
        "capabilities": None,
    }
    request = {
        "attempts": [EncodedAttempt(0, "connect", None, 0, None, None, "stream", None, None, None, None)],
        "paths": ["/nowhere/s"],
        "principals": [me],
    }
    rounds = Rounds(
        cast("Builder", None), Networks(), protected_symlinks=False
    )  # only what makes or changes something asks it
    with followed() as seen:
        (observed,) = rounds.make(json.loads(json.dumps({**request, "id": 1, "do": "attempt"})))
    child = rounds.children.child(me)
    rounds.children.end()
    os.waitpid(child.pid, 0)
    assert (observed.outcome, observed.at) == ("ENOENT", "/nowhere")
    open_still: list[socket.socket] = []
    with followed() as in_child:
        trial = attempts.Trial("connect", "/nowhere/s", None, None, "stream", None, None)
        outcome = attempts._attempt(trial, "/", None, False, open_still)
    for each in open_still:
        each.close()
    assert outcome[:2] == ("ENOENT", "/nowhere")
    assert "attempt" in HANDLERS
    return seen | in_child | {"inside/agent/loop.py"}


def test_an_attempt_passes_the_files_that_the_document_lists_and_no_others(place: Place) -> None:
    place.build(WORLD)
    place.attempt(WORLD.attempts)  # so that alice's process is there
    with followed() as seen:
        observations = place.attempt(WORLD.attempts)
        run = judge_run(WORLD, place.facts, observations, "")
    assert run.agree
    assert run.verdicts[0].decision.outcome == "EACCES"
    # The thread that reads answers was there before: what carries the bytes is known by the engine.
    passed = seen - TRANSPORTS | inside() | {"engines/agent_connection.py"}
    wanted = listed("The path of an attempt")
    assert len(wanted) <= MOST
    packages = [entry for entry in wanted if entry.endswith("/")]
    passed = {next((each for each in packages if file.startswith(each)), file) for file in passed}
    assert passed == set(wanted) - TRANSPORTS


def test_an_event_passes_at_most_fourteen_files() -> None:
    wanted = listed("The path of an event")
    assert len(wanted) == len(set(wanted)) <= 14
    assert all((ROOT.parent / "observatory" / file).is_file() for file in wanted)
