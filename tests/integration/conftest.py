"""The observatory in a place: its tree, its processes, and the users who call it."""

from __future__ import annotations

import compileall
import contextlib
import functools
import json
import re
import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from harness.checks import CHECKS
from harness.engines.protocol import Credentials, PlaceError
from harness.engines.registry import ENGINES
from harness.testbed.callers import Callers
from tests.helpers.installation import INSIDE, SOURCE, environment, libraries, mounts
from tests.helpers.places import chosen, one_engine_name, opened
from tests.integration.cast import CAST
from tests.integration.faults import FAULTS, break_server
from tests.integration.limits import LIMITS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from xdist.remote import Producer

    from harness.engines.protocol import Completed, Engine, Place, Process
    from tests.helpers.workers import OneWorkerEach

EMULATED = 3600.0
"""Seconds for one test in a machine that is emulated, on a machine that may be busy."""

LONG = ("test_identity_rootless.py", "test_picture_in_chromium.py", "test_rootless.py", "test_two_hundred_threads_and")
"""Tests by themselves that take seconds: nobody waits for them in the end, when there is nothing else to do."""

_OF_A_SUBJECT = re.compile(rf".*test_subjects\.py::[^[]*\[(\w+-.+)-(?:{'|'.join(each.name for each in CHECKS)})\]")


@pytest.fixture(scope="session")
def copies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a package for each deliberate fault, which places see as `INSIDE`/copies."""
    compileall.compile_dir(SOURCE, quiet=1)  # a place can't keep what it compiles, and would do it at each start
    folder = tmp_path_factory.mktemp("copies")
    folder.chmod(0o755)
    for name in FAULTS:
        break_server(name, SOURCE, folder)
    return folder


def pytest_report_header(config: pytest.Config) -> list[str]:
    """Say what the engines that were asked for can't show."""
    asked = str(config.getoption("--harness-engine")).split(",")
    return [
        f"not in {limit.engine}: {', '.join(limit.cases)}: {limit.why} ({limit.source})"
        for limit in LIMITS
        if limit.engine in asked and limit.holds()
    ]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> OneWorkerEach | None:
    """Group by what is shared, if grouping is asked for."""
    from tests.helpers.workers import OneWorkerEach  # workers need none of what it imports

    return OneWorkerEach(config, log, shared) if config.getvalue("dist") == "loadscope" else None


def shared(nodeid: str) -> str:
    """What a test shares with others: the host, all of whose places have the same ports and the same abstract names, a
    subject, for which a worker makes one place, what a module has in an engine's place, what was captured and the
    abstract name in it, or a browser; else it's by itself.
    """
    module, _, test = nodeid.partition("::")
    if module.endswith("_in_chromium.py"):
        return module
    if module.endswith("test_capture.py") or test.endswith("[x11-abstract]"):
        return "captured"
    engine = re.match(r"\w*", test.partition("[")[2])
    if engine is None or engine[0] not in ("auto", *ENGINES):
        return nodeid
    if engine[0] == "host":
        return "host"
    found = _OF_A_SUBJECT.fullmatch(nodeid)
    return found[1] if found else f"{module}[{engine[0]}]"


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what an engine can't show, give time to the one that emulates, and begin with what takes long."""
    left = [item for item in items if _is_left_out(item)]
    config.hook.pytest_deselected(items=left)
    items[:] = [item for item in items if item not in left]
    for item in items:
        if _engine(item) == "vm":
            item.add_marker(pytest.mark.timeout(EMULATED))
    items.sort(key=lambda item: not any(long in item.nodeid for long in LONG))


def _is_left_out(item: pytest.Item) -> bool:
    engine = _engine(item)
    nodeid = item.nodeid.replace("[auto", f"[{engine}")
    return any(limit.covers(nodeid, engine) for limit in LIMITS)


def _engine(item: pytest.Item) -> str:
    if "one_engine" in getattr(item, "fixturenames", ()):
        name = one_engine_name(item.config)
    else:
        called = getattr(item, "callspec", None)
        name = "" if called is None else str(called.params.get("harness_engine", ""))
    return _automatic() if name == "auto" else name


@functools.cache
def _automatic() -> str:
    """The engine that `auto` means here."""
    try:
        return chosen("auto").name
    except PlaceError:
        return "auto"  # each test will say so


@pytest.fixture(scope="session")
def place(engine: Engine, copies: Path, request: pytest.FixtureRequest) -> Iterator[Place]:
    """A place into which `observatory` and what it imports have been brought."""
    with opened(engine, request, *mounts(libraries(engine)), f"{copies}:{INSIDE}/copies") as made:
        yield made


@dataclass
class Server:
    """A running observatory, and what it wrote."""

    process: Process
    listening: str

    def event(self) -> dict[str, Any]:
        """The next event that it wrote on its standard output."""
        event: dict[str, Any] = json.loads(self.process.read_line())
        return event

    def end(self) -> Completed:
        """Ask it to end, and wait for that."""
        self.process.signal(signal.SIGTERM)
        return self.process.wait()


@pytest.fixture
def callers(place: Place) -> Iterator[Callers]:
    """The users of the cast, each as a process that is started when first needed."""
    with Callers(place, CAST) as callers:
        yield callers


@pytest.fixture
def serve(place: Place) -> Iterator[Callable[..., Server]]:
    """Start alice's observatory and wait until it listens; all are ended when the test ends."""
    with contextlib.ExitStack() as stack:

        def start(*arguments: str, user: str = "alice", umask: int = 0o022, source: str = "source") -> Server:
            process = place.start(
                ["python3", "-m", "observatory", "serve", *arguments],
                CAST.principal(user),
                environment=environment(f"/home/{user}", source),
                umask=umask,
            )
            stack.callback(_stop, process)
            line = process.read_line("stderr")
            if "listening on" not in line:
                pytest.fail(f"observatory serve {' '.join(arguments)} said:\n{line}\n{process.wait().stderr}")
            return Server(process, line)

        yield start


def _stop(process: Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.signal(signal.SIGTERM)
    process.wait()


def credentials(event: dict[str, Any]) -> Credentials:
    """Whom the server says that it saw."""
    groups = event.get("_peer_groups")
    return Credentials(
        event["_peer_pid"],
        event["_peer_uid"],
        event["_peer_gid"],
        None if groups is None else tuple(sorted(groups)),
    )
